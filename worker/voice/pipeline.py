"""What hears, thinks and speaks. No other module knows which providers these are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import httpx2
from livekit.agents import NOT_GIVEN, AgentSession, APIConnectOptions, inference
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.plugins import openai
from openai import AsyncClient

from worker.settings import WorkerSettings
from worker.tools.call import Wishes

#: Echo cancellation needs a moment at the start; until then the user cannot interrupt.
_AEC_WARMUP_S = 1.0
#: Without this much speech on top of the agent's, it was a cough and not an interruption.
_INTERRUPTION_S = 0.4
#: A pause after which the user is done, however unfinished the sentence sounded.
_LONGEST_PAUSE_S = 1.8
#: How long closing waits for what the user said last; nobody will answer it.
_LAST_WORDS_S = 0.2


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts of a conversation, ready to be used."""

    client: AsyncClient
    stt: openai.STT
    llm: openai.LLM
    tts: openai.TTS
    vad: inference.VAD
    turn_detector: inference.TurnDetector


def build_pipeline(settings: WorkerSettings) -> Pipeline:
    """Build the parts, without a connection and without an event loop."""
    client = build_client(settings)
    return Pipeline(
        client=client,
        stt=build_stt(settings, client),
        llm=build_llm(settings, client),
        tts=build_tts(settings, client),
        vad=inference.VAD(model="silero"),
        # v1 runs in LiveKit's cloud, and is what the framework would choose in dev mode.
        turn_detector=inference.TurnDetector(version="v1-mini"),
    )


def recast(pipeline: Pipeline, settings: WorkerSettings) -> Pipeline:
    """Return a pipeline for another persona; what costs time and memory stays the same."""
    client = pipeline.client
    return replace(
        pipeline,
        stt=build_stt(settings, client),
        llm=build_llm(settings, client),
        tts=build_tts(settings, client),
    )


def build_stt(settings: WorkerSettings, client: AsyncClient) -> openai.STT:
    """Build the hearing part."""
    return openai.STT(
        client=client,
        model=settings.stt_model,
        language=settings.stt_language,
        use_realtime=False,
    )


def build_llm(settings: WorkerSettings, client: AsyncClient) -> openai.LLM:
    """Build the thinking part."""
    temperature = settings.llm_temperature
    return openai.LLM(
        client=client,
        model=settings.llm_model,
        temperature=NOT_GIVEN if temperature is None else temperature,
    )


def build_tts(settings: WorkerSettings, client: AsyncClient) -> openai.TTS:
    """Build the speaking part."""
    return openai.TTS(
        client=client,
        model=settings.tts_model,
        voice=settings.tts_voice,
        # Needs no decoder, and can be played from the first byte on.
        response_format="pcm",
    )


def build_session(
    pipeline: Pipeline, timeout_s: float, away_after_s: float | None = None
) -> AgentSession[Wishes]:
    """Build the conversation of one call; needs the event loop of the job.

    A user counts as away after so much silence of both sides; for None, never.
    """
    # The first retry comes after 0.1 s: a hung provider costs the user at most twice the timeout.
    patience = APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=timeout_s)
    return AgentSession(
        userdata=Wishes(),
        stt=pipeline.stt,
        llm=pipeline.llm,
        tts=pipeline.tts,
        vad=pipeline.vad,
        turn_handling={
            "turn_detection": pipeline.turn_detector,
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
        conn_options=SessionConnectOptions(
            stt_conn_options=patience,
            llm_conn_options=patience,
            tts_conn_options=patience,
            # The second failure in a row ends the call: nobody talks to a wall for long.
            max_unrecoverable_errors=1,
        ),
    )


def build_client(settings: WorkerSettings) -> AsyncClient:
    """Build one client, hence one pool of connections, for all three models."""
    timeout = httpx2.Timeout(settings.provider_timeout_s, connect=5.0)
    return AsyncClient(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        max_retries=0,
        http_client=httpx2.AsyncClient(
            timeout=timeout,
            follow_redirects=True,
            # People pause for longer than the 5 s that idle connections live by default.
            limits=httpx2.Limits(max_keepalive_connections=8, keepalive_expiry=120),
        ),
    )
