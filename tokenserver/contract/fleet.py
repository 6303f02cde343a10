"""Answers about the fleet and its health. Times in ms since 1970 unless named otherwise."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rooms.breaker import BreakerState
from sessions.states import State
from tokenserver.contract.answers import Answer


class WorkerView(BaseModel):
    """One worker."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    id: str
    capacity: int
    active: int
    idle: int
    load: float
    draining: bool
    host: str
    version: str
    seen_at: int


class PoolView(BaseModel):
    """The warm processes of the fleet."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    target: int | None = Field(
        description="Null while nobody set one: workers keep POOL_SIZE each."
    )
    actual: int
    total_spawned: int
    total_assigned: int
    total_cold: int


class Percentiles(BaseModel):
    """Start latency of the last sessions, in ms; null while there were none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50: int | None
    p90: int | None
    p95: int | None
    p99: int | None


class FleetView(Answer):
    """Everything at a glance."""

    sessions: dict[State, int]
    capacity: int
    workers: list[WorkerView]
    pool: PoolView
    latency: Percentiles


class PoolResized(Answer):
    """The pool after a change of its target."""

    pool: PoolView


class WorkerOrdered(Answer):
    """A worker after an order."""

    worker_id: str
    draining: bool
    changed: bool


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok: bool


class Readiness(BaseModel):
    """Whether sessions can be started, and what is missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready: bool
    stopping: bool
    redis: Literal["ok", "unavailable"]
    livekit: Literal["ok", "unavailable"]


class HealthSessions(BaseModel):
    """Sessions by state; `pool` is the number of warm processes in the fleet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queued: int
    starting: int
    ready: int
    active: int
    recovering: int
    pool: int
    capacity: int


class Circuit(BaseModel):
    """The circuit breakers of this server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    redis: BreakerState
    livekit: BreakerState


class Latency(BaseModel):
    """Start latency of the last sessions, in ms; null while there were none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50: int | None = None
    p95: int | None = None


class HealthDetails(BaseModel):
    """For admins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    watchers: int = Field(description="Long polls and streams of events on this server.")


class Health(BaseModel):
    """How the fleet is doing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: bool
    redis: Literal["ok", "unavailable"]
    livekit: Literal["ok", "unavailable"]
    circuit: Circuit
    sessions: HealthSessions | None = None
    workers: int | None = None
    latency: Latency | None = None
    details: HealthDetails | None = None
