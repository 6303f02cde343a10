"""The pool of warm processes follows the traffic.

Scenario: ten users come within a second where three processes are warm; seven wait for theirs to
start. The next time ten come they all find one: the hour that was asks for ten (pool_size.py).

Scenario: the supervisor is gone, and nobody takes over. What it has said lapses, and each worker
keeps its own `POOL_SIZE`.

What it finds is kept in the store, with its reasons: the next leader goes on from there, and the
console shows it. What an admin has set goes before it; it is noted all the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sessions.arrivals import Arrivals
from sessions.errors import StoreUnavailable
from sessions.fleet import Worker
from sessions.pool import Tuning
from sessions.store import SessionStore
from supervisor.pool_schedule import Schedule
from supervisor.pool_size import Bounds, Size, hits, peak, settled, wanted, whole_seconds
from supervisor.scale import taking_calls
from supervisor.settings import SupervisorSettings

logger = logging.getLogger("supervisor")

#: Until a worker has seen one replaced; most take less (docs/benchmarks.md).
_REFILL_S = 1.5
#: What was found holds for so many passes, and no shorter than that.
_PASSES_KEPT = 6
_LEAST_TTL_S = 30


class PoolTuner:
    """Says how many warm processes there shall be. One leader at a time has one."""

    def __init__(
        self,
        settings: SupervisorSettings,
        store: SessionStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._schedule = Schedule.parse(settings.pool_schedule or "")
        self._zone = ZoneInfo(settings.pool_schedule_zone)

    async def tune_once(self) -> int:
        """Look at the traffic and note what it asks for; return 1 where that has changed."""
        if not self._settings.pool_tuning:
            return 0
        try:
            return await self._tune()
        except StoreUnavailable as error:
            logger.warning("redis is away; no pool is tuned", extra={"reason": str(error)})
            return 0

    async def _tune(self) -> int:
        fleet = self._store.fleet
        arrivals, workers = await fleet.arrivals(), await fleet.workers()
        before = (await fleet.pool()).tuning
        now_ms = await self._store.now()
        refill_s = refill_time_s(workers)
        size = settled(_size_of(before), wanted(arrivals, refill_s, self._bounds(workers)), now_ms)
        tuning = explained(size, arrivals, refill_s=refill_s, at_ms=now_ms)
        is_changed = await fleet.tune_pool(tuning, ttl_s=self._ttl_s)
        if before is None or before.size != size.size:
            logger.info(
                "the pool follows the traffic",
                extra={"size": size.size, "why": size.why.value, "starts": tuning.starts},
            )
        return int(is_changed)

    def _bounds(self, workers: Sequence[Worker]) -> Bounds:
        settings = self._settings
        # More than there are places would never be used.
        places = sum(worker.capacity for worker in taking_calls(workers))
        most = min(settings.pool_max_size, places) if places else settings.pool_max_size
        scheduled = self._schedule.least_at(self._clock().astimezone(self._zone))
        return Bounds(least=settings.pool_min_size, most=most, scheduled=scheduled)

    @property
    def _ttl_s(self) -> int:
        return max(_LEAST_TTL_S, math.ceil(self._settings.pool_interval_s * _PASSES_KEPT))


def refill_time_s(workers: Sequence[Worker]) -> float:
    """Return how long the workers take, on average, to replace a warm process that was taken."""
    known = [worker.refill_ms for worker in workers if worker.refill_ms is not None]
    return sum(known) / len(known) / 1000 if known else _REFILL_S


def explained(size: Size, arrivals: Arrivals, *, refill_s: float, at_ms: int) -> Tuning:
    """Return a size with its reasons."""
    whole_s = whole_seconds(refill_s)
    starts = sum(number for _, number in arrivals.seconds)
    return Tuning(
        size=size.size,
        why=size.why,
        starts=starts,
        hit_share=hits(arrivals.seconds, size.size, whole_s) / starts if starts else None,
        peak=peak(arrivals.seconds, whole_s),
        refill_ms=round(refill_s * 1000),
        at_ms=at_ms,
        calm_since_ms=size.calm_since_ms,
    )


def _size_of(tuning: Tuning | None) -> Size | None:
    if tuning is None:
        return None
    return Size(size=tuning.size, why=tuning.why, calm_since_ms=tuning.calm_since_ms)
