"""There are more workers than are wanted, or one that was drained for that is wanted again.

Scenario: the rush is over, and each worker has a few calls left. A platform that takes a machine
away takes any, and its calls with it. So the worker with the fewest calls is asked to take no more:
they end by themselves, and it is this one's machine that may go. Of several, the one that came
last: those who know the older ones find them again (`AFFINITY`). One at a time, with a pause, never
below what is wanted, and never so that fewer places would be free than are to be in reserve.

Scenario: load grows again before the machine is gone. Whoever was drained here takes calls again at
once, the one with the most calls first: it is the farthest from being empty, so the least is lost,
and a platform may be about to take the empty one away.

Scenario: an operator has drained a worker. That is no affair of this loop: the store knows who
ordered what, and undoes nobody else's order.

Scenario: a new worker is in the list, and LiveKit does not know it yet; another one is in the list,
and has not been heard of. Neither is counted on: nobody is drained for their sake.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sessions.errors import StoreUnavailable, WorkerNotFound
from sessions.fleet import Worker
from sessions.ids import WorkerId
from sessions.store import SessionStore
from sessions.views import FleetSummary
from supervisor.alerts import SILENT_SHARE_OF_LEASE
from supervisor.scale import Scaling, scaling_of, taking_calls
from supervisor.scale_settings import ScaleSettings

logger = logging.getLogger("supervisor")


def counted_on(summary: FleetSummary, worker_lease_s: float) -> list[Worker]:
    """Return the workers that take calls, and are known to be able to."""
    heard_ms = summary.at_ms - worker_lease_s * 1000 * SILENT_SHARE_OF_LEASE
    return [
        worker
        for worker in taking_calls(summary.workers)
        if worker.takes_since_ms is not None and worker.seen_at_ms >= heard_ms
    ]


def to_drain(there: list[Worker], scaling: Scaling, *, drained_calls: int = 0) -> Worker | None:
    """Return the worker to be drained next, of those that are counted on; None to leave it so.

    Where the others would be too few without the emptiest one, another one may go. Who drains
    already has so many of the calls.
    """
    if len(there) <= scaling.desired:
        return None
    found = [
        worker for worker in there if _free_without(worker, there, scaling, drained_calls) >= 0
    ]
    return min(found, key=lambda one: (one.active, -one.registered_at_ms, one.id), default=None)


def to_restore(workers: Iterable[Worker], number: int) -> list[Worker]:
    """Return so many of the workers that were too many, in the order in which they are wanted."""
    idle = [one for one in workers if one.surplus_since_ms is not None and one.capacity > 0]
    idle.sort(key=lambda one: (one.active >= one.capacity, -one.active, one.id))
    return idle[: max(0, number)]


def _free_without(
    worker: Worker, there: Iterable[Worker], scaling: Scaling, drained_calls: int
) -> int:
    """Return how many places more than the reserve would be free without a worker."""
    rest = [one for one in there if one.id != worker.id]
    # A call that is only just being started is on its way to one of them.
    on_their_way = scaling.calls - drained_calls - worker.active
    taken = max(on_their_way, sum(one.active for one in rest))
    return sum(one.capacity for one in rest) - taken - scaling.reserve


class ScaleIn:
    """Drains workers that are too many, and brings them back. Any number may do this at a time."""

    def __init__(self, store: SessionStore, settings: ScaleSettings) -> None:
        self._store = store
        self._settings = settings

    async def scale_once(self) -> int:
        """Drain one worker, or bring back as many as are lacking; return how many that were."""
        if not self._settings.scale_in:
            return 0
        try:
            return await self._scale()
        except StoreUnavailable as error:
            logger.warning("redis is away; nothing is scaled", extra={"reason": str(error)})
            return 0

    async def _scale(self) -> int:
        views, rules = self._store.views, self._settings.scale_rules
        summary = await views.summary()
        scaling = scaling_of(summary, await views.history(rules.minutes), rules)
        there = counted_on(summary, self._settings.worker_lease_s)
        lacking = scaling.desired - len(there)
        if lacking > 0:
            wanted = to_restore(summary.workers, lacking)
            return sum([await self._restore(worker.id, scaling) for worker in wanted])
        drained_calls = sum(one.active for one in summary.workers if one.is_draining)
        worker = to_drain(there, scaling, drained_calls=drained_calls)
        return 0 if worker is None else await self._drain(worker, scaling)

    async def _drain(self, worker: Worker, scaling: Scaling) -> bool:
        pause_s = self._settings.scale_in_pause_s
        try:
            is_new = await self._store.fleet.drain_surplus(worker.id, pause_s=pause_s)
        except WorkerNotFound:
            return False
        if is_new:
            self._tell("a worker is not wanted any more", worker.id, scaling)
        return is_new

    async def _restore(self, worker_id: WorkerId, scaling: Scaling) -> bool:
        try:
            is_new = await self._store.fleet.restore_surplus(worker_id)
        except WorkerNotFound:
            return False
        if is_new:
            self._tell("a worker is wanted again", worker_id, scaling)
        return is_new

    def _tell(self, message: str, worker_id: WorkerId, scaling: Scaling) -> None:
        figures = {"desired": scaling.desired, "current": scaling.current}
        logger.info(message, extra={"worker_id": worker_id, **figures})
