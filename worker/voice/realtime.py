"""One model that hears, thinks and speaks, by OpenAI's Realtime API.

It decides itself when the user is done and when it was interrupted, and tells what it heard and
said. The greeting and the apology are clips, as ever; what else is to be said word by word is
spoken by the model that speaks in a cascade, since this one cannot be told to.

A connection that breaks is made anew, and told the conversation so far; the answer that was being
spoken is lost. When it cannot be made, or the provider refuses for good (no credit left, a wrong
key), the framework ends the conversation, and the session fails.
"""

from __future__ import annotations

import sys

from livekit.agents import AgentSession, APIConnectOptions
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.plugins.openai import realtime
from openai.types.realtime import AudioTranscription

from worker.voice.parts import Mouth
from worker.voice.settings import ProviderSettings, Stage
from worker.voice.wishes import Wishes

#: Five attempts within about ten seconds: the user hears nothing meanwhile.
_RETRIES = 4
_RETRY_S = 2.0
#: Echo cancellation needs a moment at the start; until then the user cannot interrupt.
_AEC_WARMUP_S = 1.0


def build_model(settings: ProviderSettings) -> realtime.RealtimeModel:
    """Build the model of one call; its connection is made when the conversation starts."""
    endpoint = settings.endpoints(Stage.REALTIME)[0]
    return realtime.RealtimeModel(
        model=endpoint.model,
        voice=endpoint.voice,
        base_url=endpoint.base_url,
        api_key=endpoint.api_key.get_secret_value(),
        input_audio_transcription=AudioTranscription(
            model=settings.stt_model, language=settings.stt_language
        ),
        conn_options=APIConnectOptions(
            max_retry=_RETRIES, retry_interval=_RETRY_S, timeout=settings.provider_timeout_s
        ),
    )


def build_realtime_session(
    model: realtime.RealtimeModel, tts: Mouth, away_after_s: float | None = None
) -> AgentSession[Wishes]:
    """Build the conversation of one call; needs the event loop of the job."""
    return AgentSession(
        userdata=Wishes(),
        llm=model,
        tts=tts,
        vad=None,
        turn_handling={"turn_detection": "realtime_llm", "interruption": {"mode": "vad"}},
        aec_warmup_duration=_AEC_WARMUP_S,
        user_away_timeout=away_after_s,
        conn_options=SessionConnectOptions(max_unrecoverable_errors=sys.maxsize),
    )
