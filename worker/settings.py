"""What a worker can be told from outside."""

from __future__ import annotations

import secrets
import socket
from enum import StrEnum
from typing import Self

from pydantic import Field, SecretStr, model_validator

from telemetry.settings import TracingSettings
from worker.personas.settings import ConversationSettings
from worker.voice.settings import ProviderSettings


class Isolation(StrEnum):
    """What dies with a call that crashes."""

    #: Nothing.
    PROCESS = "process"
    #: The calls that share its process.
    SHARED = "shared"


def _make_worker_id() -> str:
    """Return a name that says which machine it is and is never used twice."""
    host = "".join(char if char.isalnum() else "-" for char in socket.gethostname())[:40]
    return f"{host}-{secrets.token_hex(4)}"


#: So many heartbeats may be lost, or late, before a live agent is taken for a dead one.
_HEARTBEATS_PER_LEASE = 3


class WorkerSettings(ProviderSettings, ConversationSettings, TracingSettings):
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
        description="Name under which the workers register and are sent for. "
        "Fleets that share a LiveKit need one each.",
    )
    adopt_dispatches: bool = Field(
        True,
        description="Whether agents that are sent without metadata, as LiveKit's own tools do, are "
        "sessions of their own; if not, they are refused.",
    )

    pool_size: int = Field(
        3,
        ge=0,
        le=100,
        description="For how many calls more there is a warm process at any moment, or a place in "
        "one (`ISOLATION=shared`), whatever the traffic; 0: only what `POOL_TUNING` asks for.",
    )
    scale_in_exit: bool = Field(
        False,
        description="Whether this worker ends, with status 0, once scale-in has drained it and its "
        "last call is over. Not where it would be started again at once (docs/scaling.md).",
    )
    isolation: Isolation = Field(
        Isolation.SHARED,
        description="`shared`: several calls share a process, which takes less memory and time, "
        "and all of them with it when it crashes; `process`: each call has a process of its own.",
    )
    sessions_per_process: int = Field(
        8,
        ge=1,
        le=100,
        description="How many calls share a process, with `ISOLATION=shared`.",
    )
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health endpoint.")
    worker_port: int = Field(
        8081,
        ge=0,
        le=65535,
        description="Port of the worker's health endpoint and metrics; 0: any free one.",
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
        0.5,
        gt=0,
        le=60,
        description="How often a worker tells the fleet that it is there, and learns what to do.",
    )
    no_user_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="A call that its user never joins is ended after this."
    )

    log_level: str = Field(
        "INFO",
        pattern=r"^(?i:debug|info|warning|error)$",
        description="Lowest level that is logged.",
    )

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
