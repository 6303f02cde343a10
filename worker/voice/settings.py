"""Which models hear, think and speak, where they are, and who steps in for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from sessions.settings import StoreSettings

_URL = r"^https?://"


class Stage(StrEnum):
    """A part of the conversation that a provider may fail at."""

    HEARING = "stt"
    THINKING = "llm"
    SPEAKING = "tts"
    #: All three in one.
    REALTIME = "realtime"


class Mode(StrEnum):
    CASCADE = "cascade"
    REALTIME = "realtime"


class TurnDetection(StrEnum):
    """How a pause is told from the end of what the user says."""

    #: By a model that listens to how it sounds.
    MODEL = "model"
    #: By its length alone.
    VAD = "vad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model of one provider."""

    base_url: str
    api_key: SecretStr
    model: str
    #: Of those that speak.
    voice: str = ""

    @property
    def label(self) -> str:
        """What logs and records call it: no path, no credentials."""
        host = urlsplit(self.base_url).netloc.rpartition("@")[2]
        return f"{host}/{self.model}"


class ProviderSettings(StoreSettings):
    """Settings of the conversation's models."""

    voice_mode: Mode = Field(
        Mode.CASCADE,
        description="`cascade`: one model hears, one thinks, one speaks; "
        "`realtime`: one does all, by OpenAI's Realtime API.",
    )
    turn_detection: TurnDetection = Field(
        TurnDetection.MODEL,
        description="`model`: a small model on the CPU hears whether the user is done, or pauses "
        "in the middle of a sentence; `vad`: each pause of 0.3 s counts as the end of a turn, "
        "which takes less memory.",
    )
    openai_base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=_URL,
        description="OpenAI-compatible API for speech recognition, language model and speech.",
    )
    openai_api_key: SecretStr = Field(
        SecretStr("unset"), min_length=1, description="Key for it; local servers often need none."
    )
    stt_base_url: str | None = Field(
        None, pattern=_URL, description="API that hears; `OPENAI_BASE_URL` when unset."
    )
    stt_api_key: SecretStr | None = Field(
        None,
        description="Key for it; `OPENAI_API_KEY` when unset, if it is the same server as "
        "`OPENAI_BASE_URL`: no key goes to another server by itself.",
    )
    stt_model: str = Field(
        "gpt-4o-mini-transcribe", min_length=1, description="Model that hears the user."
    )
    stt_language: str = Field(
        "en", min_length=2, max_length=10, description="Language the user speaks, as ISO 639-1."
    )
    stt_fallback_base_url: str | None = Field(
        None,
        pattern=_URL,
        description="API that hears while the first does not; no other one steps in when neither "
        "this nor `STT_FALLBACK_MODEL` is set.",
    )
    stt_fallback_api_key: SecretStr | None = Field(
        None, description="Key for it; that of the first when unset, if it is the same server."
    )
    stt_fallback_model: str | None = Field(None, description="Its model; `STT_MODEL` when unset.")
    llm_base_url: str | None = Field(
        None, pattern=_URL, description="API that thinks; `OPENAI_BASE_URL` when unset."
    )
    llm_api_key: SecretStr | None = Field(
        None, description="Key for it; as with `STT_API_KEY` when unset."
    )
    llm_model: str = Field("gpt-4.1-mini", min_length=1, description="Model that thinks.")
    llm_temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="How freely the model chooses its words; its own default when unset.",
    )
    llm_fallback_base_url: str | None = Field(
        None,
        pattern=_URL,
        description="API that thinks while the first does not; no other one steps in when neither "
        "this nor `LLM_FALLBACK_MODEL` is set.",
    )
    llm_fallback_api_key: SecretStr | None = Field(
        None, description="Key for it; that of the first when unset, if it is the same server."
    )
    llm_fallback_model: str | None = Field(None, description="Its model; `LLM_MODEL` when unset.")
    tts_base_url: str | None = Field(
        None, pattern=_URL, description="API that speaks; `OPENAI_BASE_URL` when unset."
    )
    tts_api_key: SecretStr | None = Field(
        None, description="Key for it; as with `STT_API_KEY` when unset."
    )
    tts_model: str = Field("gpt-4o-mini-tts", min_length=1, description="Model that speaks.")
    tts_voice: str = Field("ash", min_length=1, description="Voice it speaks with.")
    tts_fallback_base_url: str | None = Field(
        None,
        pattern=_URL,
        description="API that speaks while the first does not; no other one steps in when neither "
        "this nor `TTS_FALLBACK_MODEL` is set.",
    )
    tts_fallback_api_key: SecretStr | None = Field(
        None, description="Key for it; that of the first when unset, if it is the same server."
    )
    tts_fallback_model: str | None = Field(None, description="Its model; `TTS_MODEL` when unset.")
    tts_fallback_voice: str | None = Field(None, description="Its voice; `TTS_VOICE` when unset.")
    realtime_base_url: str | None = Field(
        None, pattern=_URL, description="Realtime API; `OPENAI_BASE_URL` when unset."
    )
    realtime_api_key: SecretStr | None = Field(
        None, description="Key for it; as with `STT_API_KEY` when unset."
    )
    realtime_model: str = Field("gpt-realtime", min_length=1, description="Its model.")
    realtime_voice: str = Field("marin", min_length=1, description="Its voice.")

    provider_timeout_s: float = Field(
        8.0,
        gt=0,
        le=120,
        description="How long a model may stay silent, that has no other to step in for it.",
    )
    provider_attempt_timeout_s: float = Field(
        3.0,
        gt=0,
        le=120,
        description="How long one may that has: then the other is asked.",
    )
    provider_outage_s: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="How long a model that failed is left alone by all calls, at most; an eighth "
        "of it the first time, and twice as long each time it has not come back.",
    )
    failed_turns_limit: int = Field(
        3,
        ge=1,
        le=100,
        description="So many answers in a row that fail at the same stage end the call.",
    )
    apology: str = Field(
        "I'm sorry, I have a technical problem right now. Please try again in a moment.",
        max_length=1000,
        description="What is said when an answer fails; kept as a file like the greeting.",
    )

    greeting_cache_dir: Path = Field(
        Path("~/.cache/voicefleet/greetings"),
        validate_default=True,
        description="Where the spoken greeting and apology are kept, so that each is made once.",
    )

    @field_validator("greeting_cache_dir")
    @classmethod
    def _expand_cache_dir(cls, path: Path) -> Path:
        return path.expanduser()

    def endpoints(self, stage: Stage) -> tuple[Endpoint, ...]:
        """Return who does a stage's work: the first, and who steps in for it, if anybody."""
        first = self._first(stage)
        other = self._other(stage, first)
        return (first,) if other is None else (first, other)

    def _first(self, stage: Stage) -> Endpoint:
        base_url = getattr(self, f"{stage}_base_url") or self.openai_base_url
        home = Endpoint(base_url=self.openai_base_url, api_key=self.openai_api_key, model="")
        return Endpoint(
            base_url=base_url,
            api_key=getattr(self, f"{stage}_api_key") or _key_for(base_url, home),
            model=getattr(self, f"{stage}_model"),
            voice=getattr(self, f"{stage}_voice", ""),
        )

    def _other(self, stage: Stage, first: Endpoint) -> Endpoint | None:
        base_url = getattr(self, f"{stage}_fallback_base_url", None)
        model = getattr(self, f"{stage}_fallback_model", None)
        if base_url is None and model is None:
            return None
        base_url = base_url or first.base_url
        return Endpoint(
            base_url=base_url,
            api_key=getattr(self, f"{stage}_fallback_api_key") or _key_for(base_url, first),
            model=model or first.model,
            voice=getattr(self, f"{stage}_fallback_voice", None) or first.voice,
        )


def _key_for(base_url: str, known: Endpoint) -> SecretStr:
    """Return the known key for the server it is for, and none for others."""
    is_same = urlsplit(base_url)[:2] == urlsplit(known.base_url)[:2]
    return known.api_key if is_same else SecretStr("unset")
