"""Calls that are left when the time for draining ends go on with other workers.

A call is only told to change hands when another worker has a place for it: without one it is better
off here, up to the last second. Workers that stop at the same time share the places. All that is
asked of the fleet's list, so with Redis away nobody is told, and could not hand anything over
anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from sessions.errors import StoreUnavailable, WrongSchema
from sessions.fleet import Fleet
from worker.host.pool import Pool
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

_INTERVAL_S = 0.5


class Handover:
    """Tells jobs to hand over their calls, as many as others can take."""

    def __init__(self, settings: WorkerSettings, fleet: Fleet, pool: Pool) -> None:
        self._settings = settings
        self._fleet = fleet
        self._pool = pool
        self._told: set[str] = set()

    async def run(self) -> None:
        """Wait until it is time; then tell the jobs that are left, until cancelled."""
        settings = self._settings
        await asyncio.sleep(max(0.0, settings.drain_timeout_s - settings.handover_before_s))
        while True:
            await self.tell_once()
            await asyncio.sleep(_INTERVAL_S)

    async def tell_once(self) -> int:
        """Tell those that others have a place for, each once; return how many were told."""
        left = self._pool.job_ids
        # Whoever was told and is still here has a place elsewhere, or will have.
        leaving = self._told.intersection(left)
        staying = [job_id for job_id in left if job_id not in leaving]
        free = await self._places_elsewhere() - len(leaving) if staying else 0
        called = staying[: max(0, free)]
        for job_id in called:
            self._told.add(job_id)
            self._pool.hand_over(job_id)
        if called:
            logger.info("calls are handed over", extra={"told": len(called), "left": len(left)})
        return len(called)

    async def _places_elsewhere(self) -> int:
        try:
            workers = await self._fleet.workers()
        except (StoreUnavailable, WrongSchema) as error:
            logger.warning("nobody to hand over to is known", extra={"code": error.code})
            return 0
        except Exception:
            # In half a second it may be.
            logger.exception("nobody to hand over to is known")
            return 0
        # One that LiveKit does not know, as with a wrong key, gets no job: its places are none.
        others = [one for one in workers if one.id != self._settings.worker_id and one.livekit_id]
        free = sum(max(0, one.capacity - one.active) for one in others if not one.is_draining)
        leaving = [one.id for one in others if one.is_draining and one.active > 0]
        return share(free, self._settings.worker_id, leaving)


def share(free: int, worker_id: str, leaving: Iterable[str]) -> int:
    """Return how many of the free places are this worker's, when others have to leave, too."""
    others = list(leaving)
    rank = sum(one < worker_id for one in others)
    whole, rest = divmod(free, 1 + len(others))
    return whole + (rank < rest)
