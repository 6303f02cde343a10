"""What a worker can be told from outside."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from sessions.settings import StoreSettings

_INSTRUCTIONS = """\
You are a friendly voice assistant. You talk with the user over the phone, so answer in one to
three short sentences, in plain spoken words: no lists, no markup, no emoji, no web addresses.
Ask back when you did not understand. Use current_time when the time or the date matters; where
the user names no place, use the zone UTC and say so. When the user says goodbye or wants to end
the call, use end_call."""


def _make_worker_id() -> str:
    """Return a name that says which machine it is and is never used twice."""
    host = "".join(char if char.isalnum() else "-" for char in socket.gethostname())[:40]
    return f"{host}-{secrets.token_hex(4)}"


#: So many heartbeats may be lost, or late, before a live agent is taken for a dead one.
_HEARTBEATS_PER_LEASE = 3


class WorkerSettings(StoreSettings):
    """Settings of one worker and of the job processes it starts."""

    livekit_url: str = Field(
        "ws://127.0.0.1:7880",
        pattern=r"^(ws|http)s?://",
        description="LiveKit server as our own services reach it.",
    )
    livekit_api_key: str = Field(min_length=1, description="Key that LiveKit's config names.")
    livekit_api_secret: SecretStr = Field(
        min_length=32, description="Secret of that key; 32 characters or more."
    )
    livekit_give_up_after_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="How long LiveKit may be away before the worker ends its calls in order and "
        "exits with status 1; 0: it is tried again for ever.",
    )

    agent_name: str = Field(
        "voicefleet",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name under which the workers register and are sent for.",
    )
    adopt_dispatches: bool = Field(
        True,
        description="Whether agents that are sent without metadata, as LiveKit's own tools do, are "
        "sessions of their own; if not, they are refused.",
    )
    agent_instructions: str = Field(
        _INSTRUCTIONS, min_length=1, max_length=20_000, description="What the agent is told to be."
    )
    agent_greets_first: bool = Field(
        True, description="Whether the agent speaks first; if not, it waits for the user to speak."
    )
    agent_greeting: str = Field(
        "Hello! How can I help you?",
        max_length=1000,
        validate_default=True,
        description="What the agent says first.",
    )
    greeting_cache_dir: Path = Field(
        default_factory=lambda: Path("~/.cache/voicefleet/greetings").expanduser(),
        description="Where the spoken greeting is kept, so that it is synthesised only once.",
    )

    pool_size: int = Field(
        3, ge=0, le=100, description="How many warm processes wait for a job; 0 makes calls slow."
    )
    worker_capacity: int = Field(
        50, ge=1, le=1000, description="How many calls this worker takes at the same time."
    )
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health endpoint.")
    worker_port: int = Field(
        8081, ge=0, le=65535, description="Port of the worker's health endpoint; 0: any free one."
    )
    worker_id: str = Field(
        default_factory=_make_worker_id,
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of this worker in the store; made from the host name when unset.",
    )
    drain_timeout_s: int = Field(
        600, ge=1, le=86_400, description="How long calls may go on after SIGTERM."
    )
    handover_before_s: float = Field(
        20.0,
        ge=0,
        le=600,
        description="How long before that time is up the calls that are left are handed over to "
        "other workers.",
    )
    process_start_timeout_s: float = Field(
        60.0, gt=0, le=600, description="How long a new process may take to become warm."
    )
    heartbeat_interval_s: float = Field(
        2.0, gt=0, le=60, description="How often an agent renews its lease on its session."
    )
    worker_heartbeat_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="How often a worker tells the fleet that it is there, and learns what to do.",
    )
    no_user_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="A call that its user never joins is ended after this."
    )

    openai_base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://",
        description="OpenAI-compatible API for speech recognition, language model and speech.",
    )
    openai_api_key: SecretStr = Field(
        SecretStr("unset"), min_length=1, description="Key for it; local servers often need none."
    )
    stt_model: str = Field(
        "gpt-4o-mini-transcribe", min_length=1, description="Model that hears the user."
    )
    stt_language: str = Field(
        "en", min_length=2, max_length=10, description="Language the user speaks, as ISO 639-1."
    )
    llm_model: str = Field("gpt-4.1-mini", min_length=1, description="Model that thinks.")
    tts_model: str = Field("gpt-4o-mini-tts", min_length=1, description="Model that speaks.")
    tts_voice: str = Field("ash", min_length=1, description="Voice it speaks with.")
    provider_timeout_s: float = Field(
        8.0, gt=0, le=120, description="How long a model may stay silent before it is asked again."
    )

    log_level: str = Field(
        "INFO",
        pattern=r"^(?i:debug|info|warning|error)$",
        description="Lowest level that is logged.",
    )

    @field_validator("agent_greeting")
    @classmethod
    def _nothing_if_the_user_speaks_first(cls, greeting: str, info: ValidationInfo) -> str:
        return greeting if info.data.get("agent_greets_first", True) else ""

    @model_validator(mode="after")
    def _check_heartbeat(self) -> Self:
        if self.heartbeat_interval_s * _HEARTBEATS_PER_LEASE > self.agent_lease_s:
            raise ValueError(
                f"AGENT_LEASE_S must be {_HEARTBEATS_PER_LEASE} times HEARTBEAT_INTERVAL_S or more"
            )
        if self.worker_heartbeat_s * _HEARTBEATS_PER_LEASE > self.worker_lease_s:
            raise ValueError(
                f"WORKER_LEASE_S must be {_HEARTBEATS_PER_LEASE} times WORKER_HEARTBEAT_S or more"
            )
        return self
