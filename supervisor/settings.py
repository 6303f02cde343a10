"""How often the supervisor looks, and whether this process may be one."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from rooms.settings import RoomSettings
from sessions.settings import StoreSettings
from telemetry.settings import TracingSettings

#: So often at least does the sweep look at leases.
_SWEEPS_PER_LEASE = 4


class SupervisorSettings(StoreSettings, RoomSettings, TracingSettings):
    """What a supervisor reads from its environment; docs/settings.md lists it."""

    supervise: bool = Field(
        True,
        description="Whether this token server may lead the supervision of the fleet; one does at "
        "a time. `false` where `python -m supervisor` runs by itself.",
    )
    leader_lease_s: float = Field(
        4.0,
        ge=0.5,
        le=60,
        description="After this without a word from the leader another supervisor takes over.",
    )
    sweep_interval_s: float = Field(
        0.25, gt=0, le=60, description="How often lapsed leases are looked for."
    )
    dispatch_interval_s: float = Field(
        0.5,
        gt=0,
        le=60,
        description="How often sessions are looked for whose agent did not come; one that is due "
        "for an agent gets it at once.",
    )
    workers_interval_s: float = Field(
        0.5,
        gt=0,
        le=60,
        description="How soon sessions that wait for the first worker are served once it is there.",
    )
    ghosts_interval_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="How often rooms are looked at whose agent was replaced, until the new one is "
        "alone.",
    )
    queue_interval_s: float = Field(
        0.5, gt=0, le=60, description="How often tickets and slots are looked for that lapsed."
    )
    waiting_interval_s: float = Field(
        1.0, gt=0, le=60, description="How old the place in line may be that a room shows."
    )
    closing_interval_s: float = Field(
        2.0, gt=0, le=300, description="How often rooms are closed that could not be before."
    )
    unserved_interval_s: float = Field(
        2.0,
        gt=0,
        le=300,
        description="How often rooms are looked for that were opened with a standard token and "
        "whose agent never came.",
    )
    reconcile_interval_s: float = Field(
        10.0,
        gt=0,
        le=300,
        description="How often LiveKit's rooms are compared with the sessions. One whose room is "
        "gone for 10 s longer than `ROOM_DEPARTURE_TIMEOUT_S` is ended.",
    )

    @model_validator(mode="after")
    def _check_sweep(self) -> Self:
        # The store takes a gap of a third of a lease for an outage of Redis; the loop is jittered.
        if self.sweep_interval_s * _SWEEPS_PER_LEASE > self.agent_lease_s:
            raise ValueError(
                f"AGENT_LEASE_S must be {_SWEEPS_PER_LEASE} times SWEEP_INTERVAL_S or more"
            )
        return self


class ProcessSettings(SupervisorSettings):
    """What `python -m supervisor` reads besides; docs/settings.md lists it."""

    log_level: str = Field("INFO", pattern=r"^(?i:debug|info|warning|error)$")
    supervisor_host: str = Field(
        "127.0.0.1", description="Address of a supervisor's own health endpoint and metrics."
    )
    supervisor_port: int = Field(
        8082, ge=0, le=65535, description="Port of these; 0: any free one, which the log tells."
    )
