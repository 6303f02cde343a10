"""A fleet in figures, for what the number of workers is worked out from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sessions.fleet import Worker
from sessions.ids import WorkerId
from sessions.minutes import History, Minute
from sessions.pool import PoolStats
from sessions.states import State
from sessions.views import FleetSummary, Line
from supervisor.scale import ScaleRules

MINUTE_MS = 60_000
#: Half a minute after a minute has begun.
NOW_MS = 29_400_000 * MINUTE_MS + MINUTE_MS // 2
#: Nothing in reserve, and no bound that matters.
RULES = ScaleRules(
    reserve=0, min_workers=0, max_workers=10_000, worker_capacity=50, scale_in_after_s=300
)


def worker(
    name: str = "w-1",
    *,
    capacity: int = 10,
    active: int = 0,
    is_draining: bool = False,
    surplus_since_ms: int | None = None,
    registered_at_ms: int = 0,
    is_known: bool = True,
    silent_ms: int = 0,
) -> Worker:
    return Worker(
        id=WorkerId(name),
        capacity=capacity,
        active=active,
        idle=1,
        load=0.0,
        is_draining=is_draining or surplus_since_ms is not None,
        host="h",
        version="0",
        livekit_id="",
        registered_at_ms=registered_at_ms,
        seen_at_ms=NOW_MS - silent_ms,
        takes_since_ms=0 if is_known else None,
        surplus_since_ms=surplus_since_ms,
    )


def workers(*capacities: int) -> tuple[Worker, ...]:
    """Return workers of these sizes, without calls."""
    return tuple(worker(f"w-{place}", capacity=size) for place, size in enumerate(capacities))


def summary(
    calls: int = 0,
    waiting: int = 0,
    *,
    there: Iterable[Worker] = (),
    slots: int = 100_000,
) -> FleetSummary:
    """Return a fleet with so many calls, users in line, workers and slots."""
    return FleetSummary(
        at_ms=NOW_MS,
        sessions=dict.fromkeys(State, 0) | {State.ACTIVE: calls, State.QUEUED: waiting},
        line=Line(length=waiting, oldest_wait_ms=None),
        capacity=slots,
        workers=tuple(there),
        pool=PoolStats(target=None, total_spawned=0, total_assigned=0, total_cold=0),
        startup_ms={50: None, 90: None, 95: None, 99: None},
        recent=history(),
        outages=(),
    )


def history(*rises: int, minutes: int = 37) -> History:
    """Return what happened, by how much the load grew in the last minutes; the last one is now."""
    padded: Sequence[int] = [*[0] * (minutes - len(rises)), *rises][-minutes:]
    began_ms = NOW_MS // MINUTE_MS * MINUTE_MS
    found = [
        replace(
            Minute(at_ms=began_ms - (len(padded) - 1 - place) * MINUTE_MS),
            admitted=max(rise, 0),
            ended=max(-rise, 0),
        )
        for place, rise in enumerate(padded)
    ]
    return History(minutes=tuple(found), startups=())
