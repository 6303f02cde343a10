"""A conversation: its parts, and how turns are taken."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from livekit.agents import AgentSession, APIConnectOptions, inference
from livekit.agents.voice.agent_session import SessionConnectOptions

from sessions.batch import Client
from sessions.keys import Keys
from worker.voice.clients import Connections
from worker.voice.ear import Ear
from worker.voice.outages import Outages
from worker.voice.parts import Parts, Workshop
from worker.voice.settings import ProviderSettings, Stage, TurnDetection
from worker.voice.wishes import Wishes

#: Echo cancellation needs a moment at the start; until then the user cannot interrupt.
_AEC_WARMUP_S = 1.0
#: Without this much speech on top of the agent's, it was a cough and not an interruption.
_INTERRUPTION_S = 0.4
#: A pause after which the user is done, however unfinished the sentence sounded.
_LONGEST_PAUSE_S = 1.8
#: How long closing waits for what the user said last; nobody will answer it.
_LAST_WORDS_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What the conversations of a process share."""

    workshop: Workshop
    #: None: the length of a pause alone tells.
    turn_detector: inference.TurnDetector | None

    async def aclose(self) -> None:
        """Close the connections, after the last call."""
        await self.workshop.outages.aclose()
        await self.workshop.connections.aclose()


def build_pipeline(settings: ProviderSettings, redis: Client) -> Pipeline:
    """Build what calls share, without a connection and without an event loop."""
    workshop = Workshop(
        settings=settings,
        connections=Connections(),
        outages=Outages(redis, Keys(settings.redis_prefix), settings.provider_outage_s),
        vad=Ear(),
    )
    # Not used: the first call shall not pay for what is imported and built at the first time.
    workshop.build()
    # v1 runs in LiveKit's cloud, and is what the framework would choose in dev mode.
    has_model = settings.turn_detection is TurnDetection.MODEL
    detector = inference.TurnDetector(version="v1-mini") if has_model else None
    return Pipeline(workshop=workshop, turn_detector=detector)


def build_session(
    pipeline: Pipeline,
    settings: ProviderSettings,
    parts: Parts,
    away_after_s: float | None = None,
) -> AgentSession[Wishes]:
    """Build the conversation of one call; needs the event loop of the job.

    `settings` are those that its parts were built by. A user counts as away after so much silence
    of both sides; for None, never.
    """
    return AgentSession(
        userdata=Wishes(),
        stt=parts.stt,
        llm=parts.llm,
        tts=parts.tts,
        vad=pipeline.workshop.vad,
        turn_handling={
            "turn_detection": pipeline.turn_detector or "vad",
            "endpointing": {"mode": "fixed", "min_delay": 0.3, "max_delay": _LONGEST_PAUSE_S},
            "interruption": {
                # The other mode, adaptive, asks LiveKit's cloud.
                "mode": "vad",
                "min_duration": _INTERRUPTION_S,
                "resume_false_interruption": True,
                "false_interruption_timeout": 1.5,
            },
            # Think while it is still unsure whether the user is done; speak only once it is sure.
            "preemptive_generation": {"enabled": True, "preemptive_tts": False},
        },
        aec_warmup_duration=_AEC_WARMUP_S,
        user_away_timeout=away_after_s,
        session_close_transcript_timeout=_LAST_WORDS_S,
        conn_options=_connect_options(settings, parts),
    )


def _connect_options(settings: ProviderSettings, parts: Parts) -> SessionConnectOptions:
    return SessionConnectOptions(
        stt_conn_options=_patience(settings, parts, Stage.HEARING),
        llm_conn_options=_patience(settings, parts, Stage.THINKING),
        tts_conn_options=_patience(settings, parts, Stage.SPEAKING),
        # Never: care.py decides, and lets the user hear why.
        max_unrecoverable_errors=sys.maxsize,
    )


def _patience(settings: ProviderSettings, parts: Parts, stage: Stage) -> APIConnectOptions:
    """Return how often a stage is asked again: where another model steps in, never.

    The first retry comes after 0.1 s, but where the model was silent: see clients.py.
    """
    return APIConnectOptions(
        max_retry=0 if parts.has_substitute(stage) else 1,
        retry_interval=0.5,
        timeout=settings.provider_timeout_s,
    )
