"""How often the supervisor looks, and whether this process may be one."""

from __future__ import annotations

from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from notices.settings import NoticeSettings
from rooms.settings import RoomSettings
from supervisor.pool_schedule import Schedule
from supervisor.scale_settings import ScaleSettings
from telemetry.settings import TracingSettings

#: So often at least does the sweep look at leases.
_SWEEPS_PER_LEASE = 4


class SupervisorSettings(ScaleSettings, RoomSettings, NoticeSettings, TracingSettings):
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

    pool_tuning: bool = Field(
        True,
        description="Whether the number of warm processes follows the traffic. Each worker keeps "
        "`POOL_SIZE` all the same; what an admin sets goes before both.",
    )
    pool_min_size: int = Field(
        1, ge=0, le=10_000, description="The fleet has so many warm processes at least."
    )
    pool_max_size: int = Field(
        20, ge=0, le=10_000, description="Traffic makes it no more than so many."
    )
    pool_schedule: str | None = Field(
        None,
        max_length=4000,
        description="Known peaks, and how many there are at least: "
        "`mon-fri 08:45-10:00 12; sat,sun 20:00-23:00 15`.",
    )
    pool_schedule_zone: str = Field(
        "UTC", max_length=64, description="Time zone of these, as `Europe/Berlin`."
    )
    pool_interval_s: float = Field(
        5.0, gt=0, le=60, description="How often the traffic is looked at for that."
    )

    @field_validator("pool_schedule")
    @classmethod
    def _check_schedule(cls, text: str | None) -> str | None:
        Schedule.parse(text or "")
        return text

    @field_validator("pool_schedule_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                "no such time zone; names are as in Europe/Berlin, and the system needs tzdata"
            ) from None
        return name

    @model_validator(mode="after")
    def _check_pool(self) -> Self:
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("POOL_MAX_SIZE must not be less than POOL_MIN_SIZE")
        peaks = Schedule.parse(self.pool_schedule or "").peaks
        if any(peak.size > self.pool_max_size for peak in peaks):
            raise ValueError("POOL_SCHEDULE asks for more than POOL_MAX_SIZE: raise that, too")
        return self

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
