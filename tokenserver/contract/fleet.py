"""Answers about the fleet and its health. Times in ms since 1970 unless named otherwise."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rooms.breaker import BreakerState
from sessions.pool import Why
from sessions.states import State
from supervisor.alerts import Severity
from supervisor.scale import Reason
from tokenserver.contract.answers import Answer, Time


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
    surplus: bool = Field(
        description="Whether it drains because there are more workers than are wanted."
    )
    host: str
    version: str
    seen_at: int


class PoolTuning(BaseModel):
    """How many warm processes the traffic asks for, and why."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    size: int
    why: Why
    starts: int = Field(description="Sessions that got a slot in the last hour.")
    hit_share: float | None = Field(
        description="The share of them that this size would have served warm; null of none."
    )
    peak: int = Field(description="The most of them within the time to refill.")
    refill_ms: int = Field(description="How long it takes to replace a process that was taken.")
    at: Time


class PoolView(BaseModel):
    """The warm processes of the fleet."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    target: int | None = Field(
        description="What an admin has set; null: traffic and POOL_SIZE decide."
    )
    tuning: PoolTuning | None = Field(description="Null where nobody tunes the pool, or not yet.")
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


class ProviderOutage(BaseModel):
    """A provider's model that the workers leave alone for a while; another one steps in for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(examples=["llm api.example.com/some-model"])
    since: Time
    until: Time | None = Field(description="When it is tried again; null: with the next call.")


class Circuits(BaseModel):
    """Who is left alone for a while because it does not answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    redis: BreakerState = Field(description="Of this server; while it is open there is no answer.")
    livekit: BreakerState = Field(description="Of this server.")
    providers: list[ProviderOutage] = Field(description="As the workers have told each other.")


class QueueView(BaseModel):
    """The line."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    length: int
    oldest_wait_ms: int | None = Field(
        description="How long the first in line has waited; null while nobody does."
    )


class AlertView(BaseModel):
    """Something that somebody ought to look at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(examples=["pool_empty"])
    severity: Severity
    message: str
    value: float = Field(description="What was found.")
    limit: float = Field(description="What it should not be beyond, or below.")


class ScalingView(BaseModel):
    """How many workers there shall be, and what that comes from."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    desired: int = Field(description="How many workers shall take calls.")
    current: int = Field(description="How many do.")
    reason: Reason = Field(
        description="What decides: what is needed now or was lately, or a limit."
    )
    calls: int = Field(description="Sessions that have a slot.")
    waiting: int = Field(description="Sessions in line.")
    reserve: int = Field(description="How many places shall be free beside them.")
    places: int = Field(description="How many calls the workers take that take calls.")
    places_per_worker: int = Field(description="How many one takes, as most do.")


class ErrorBudget(BaseModel):
    """How many sessions may fail, and how many did."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    objective: float = Field(description="The share that is to be good.", examples=[0.99])
    window_days: int = Field(description="Over how long it is counted.", examples=[30])
    good: int = Field(description="First agents that were there.")
    bad: int = Field(description="Sessions that failed.")
    remaining: float = Field(
        description="1: nothing is used up; 0: all of it is; below that, more failed than may."
    )
    burn_rate: float | None = Field(
        description="How many times too fast the last hour used it up; null without an outcome."
    )


class FleetView(Answer):
    """Everything at a glance."""

    sessions: dict[State, int]
    capacity: int
    queue: QueueView
    workers: list[WorkerView]
    pool: PoolView
    latency: Percentiles
    circuits: Circuits
    alerts: list[AlertView]
    scaling: ScalingView
    error_budget: ErrorBudget


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
