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

    id: str = Field(description="Its name: what a drain names.")
    capacity: int = Field(description="How many calls it takes at the same time.")
    active: int = Field(description="How many it has.")
    idle: int = Field(description="How many warm processes it has, or places in them.")
    load: float = Field(description="The share of its capacity that is taken, from 0 to 1.")
    draining: bool = Field(description="Whether it takes no more calls.")
    surplus: bool = Field(
        description="Whether it drains because there are more workers than are wanted."
    )
    host: str = Field(description="Name of its machine.")
    version: str = Field(description="Which version of Voicefleet it runs.")
    seen_at: int = Field(description="When it was last heard of.")


class PoolTuning(BaseModel):
    """How many warm processes the traffic asks for, and why."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    size: int = Field(description="So many.")
    why: Why = Field(description="What decides.")
    starts: int = Field(description="Sessions that got a slot in the last hour.")
    hit_share: float | None = Field(
        description="The share of them that this size would have served warm; null of none."
    )
    peak: int = Field(description="The most of them within the time to refill.")
    refill_ms: int = Field(description="How long it takes to replace a process that was taken.")
    at: Time = Field(description="When that was worked out.")


class PoolView(BaseModel):
    """The warm processes of the fleet."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    target: int | None = Field(
        description="What an admin has set; null: traffic and POOL_SIZE decide."
    )
    tuning: PoolTuning | None = Field(description="Null where nobody tunes the pool, or not yet.")
    actual: int = Field(description="How many there are.")
    total_spawned: int = Field(description="How many were ever started.")
    total_assigned: int = Field(description="Sessions that got one.")
    total_cold: int = Field(description="Sessions that had to wait for one to start.")


class Percentiles(BaseModel):
    """Start latency of the last sessions, in ms; null while there were none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50: int | None = Field(description="Half of them took no longer.")
    p90: int | None = Field(description="90 of 100.")
    p95: int | None = Field(description="95 of 100.")
    p99: int | None = Field(description="99 of 100.")


class ProviderOutage(BaseModel):
    """A provider's model that the workers leave alone for a while; another one steps in for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        examples=["llm api.example.com/some-model"], description="Its stage, host and model."
    )
    since: Time = Field(description="When it first failed.")
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

    length: int = Field(description="How many wait.")
    oldest_wait_ms: int | None = Field(
        description="How long the first in line has waited; null while nobody does."
    )


class AlertView(BaseModel):
    """Something that somebody ought to look at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(examples=["pool_empty"], description="What it is: one of those in the guide.")
    severity: Severity = Field(description="`critical`: calls fail, or will.")
    message: str = Field(description="The same in words, with what to do.")
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

    sessions: dict[State, int] = Field(description="How many there are, state by state.")
    capacity: int = Field(description="How many may hold a slot at the same time: `MAX_SESSIONS`.")
    queue: QueueView = Field(description="Who waits.")
    workers: list[WorkerView] = Field(description="All that were heard of lately.")
    pool: PoolView = Field(description="The warm processes.")
    latency: Percentiles = Field(description="How fast the last sessions started.")
    circuits: Circuits = Field(description="Who is left alone because it fails.")
    alerts: list[AlertView] = Field(description="What somebody ought to look at.")
    scaling: ScalingView = Field(description="How many workers are wanted.")
    error_budget: ErrorBudget = Field(description="How many more sessions may fail.")


class PoolResized(Answer):
    """The pool after a change of its target."""

    pool: PoolView = Field(description="As the fleet has it now.")


class WorkerOrdered(Answer):
    """A worker after an order."""

    worker_id: str = Field(description="Which worker.")
    draining: bool = Field(description="Whether it is to take no more calls.")
    changed: bool = Field(description="False: that was so already.")


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok: bool = Field(description="Always true.")


class Readiness(BaseModel):
    """Whether sessions can be started, and what is missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready: bool = Field(description="Whether they can.")
    stopping: bool = Field(description="Whether this server is about to stop.")
    redis: Literal["ok", "unavailable"] = Field(description="Whether it answers.")
    livekit: Literal["ok", "unavailable"] = Field(
        description="Whether it answers, and takes our key."
    )


class HealthSessions(BaseModel):
    """Sessions by state; `pool` is the number of warm processes in the fleet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queued: int = Field(description="In line.")
    starting: int = Field(description="With a slot; their agent is on its way.")
    ready: int = Field(description="With an agent that waits for the user.")
    active: int = Field(description="Agent and user talk.")
    recovering: int = Field(description="Their agent was lost; another is on its way.")
    pool: int = Field(description="Warm processes.")
    capacity: int = Field(description="How many may hold a slot at the same time: `MAX_SESSIONS`.")


class Circuit(BaseModel):
    """The circuit breakers of this server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    redis: BreakerState = Field(description="Open: it is left alone for a while.")
    livekit: BreakerState = Field(description="Open: it is left alone for a while.")


class Latency(BaseModel):
    """Start latency of the last sessions, in ms; null while there were none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    p50: int | None = Field(None, description="Half of them took no longer.")
    p95: int | None = Field(None, description="95 of 100 took no longer.")


class HealthDetails(BaseModel):
    """For admins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(description="Which version of Voicefleet answers.")
    watchers: int = Field(description="Long polls and streams of events on this server.")


class Health(BaseModel):
    """How the fleet is doing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: bool = Field(description="False, with status 503, where something is missing.")
    redis: Literal["ok", "unavailable"] = Field(description="Whether it answers.")
    livekit: Literal["ok", "unavailable"] = Field(
        description="Whether it answers, and takes our key."
    )
    circuit: Circuit = Field(description="Whether this server leaves a neighbour alone.")
    sessions: HealthSessions | None = Field(
        None, description="Left out while Redis does not answer."
    )
    workers: int | None = Field(
        None, description="How many were heard of lately; left out likewise."
    )
    latency: Latency | None = Field(None, description="Left out likewise.")
    details: HealthDetails | None = Field(None, description="With an admin key only.")
