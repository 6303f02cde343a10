"""This worker in the fleet's list: heartbeats keep it there, and their answers bring its orders.

What has changed is told at once: whoever sets the size of the pool sees it come true, and calls are
sent to where there is a place.
Redis being away changes nothing for this worker: it goes on as it was last told to.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from sessions.errors import StoreUnavailable, WorkerNotFound, WrongSchema
from sessions.fleet import Beat, Fleet, Orders, Registration
from sessions.ids import WorkerId
from telemetry.version import VERSION
from worker.host.admission import Gate
from worker.host.colleagues import Colleagues
from worker.host.pool import Pool
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

#: A worker that stops does not wait longer than this for Redis: its lease lapses by itself.
_LEAVE_S = 2.0
#: So soon after a heartbeat there is none because of a change.
_SHORTEST_PAUSE_S = 0.2


def _stay() -> None:
    """Do not end."""


class Registry:
    """Says that this worker is there, and obeys: drain, take calls again, keep so many warm."""

    def __init__(
        self,
        settings: WorkerSettings,
        fleet: Fleet,
        pool: Pool,
        gate: Gate,
        colleagues: Colleagues,
    ) -> None:
        self._settings = settings
        self._id = WorkerId(settings.worker_id)
        self._fleet = fleet
        self._pool = pool
        self._gate = gate
        self._colleagues = colleagues
        self._is_away = False
        #: Whether it was drained because there are more workers than are wanted.
        self._is_surplus = False
        self._retire = _stay
        #: Calls and warm processes, as they were told last.
        self._told = (0, 0)
        #: Processes it has started, as the list knows of them.
        self._spawned_told = 0

    async def run(self, stop: asyncio.Event, retire: Callable[[], None] = _stay) -> None:
        """Beat until told to stop; then leave the list.

        `retire` is called when this worker is not wanted any more and may end (`SCALE_IN_EXIT`).
        """
        self._retire = retire
        while not stop.is_set():
            await self._beat_if_possible()
            await self._pause(stop)
        await self._leave()

    async def beat_once(self) -> Orders:
        """Prolong the lease and obey. Raises StoreUnavailable, WrongSchema."""
        try:
            orders = await self._renew()
        except WorkerNotFound:
            await self._register()
            orders = await self._renew()
        if orders.is_draining != self._gate.is_paused:
            logger.info("ordered to drain" if orders.is_draining else "ordered to take calls again")
            self._gate.is_paused = orders.is_draining
        self._is_surplus = orders.is_surplus
        if self._may_retire():
            logger.info("not wanted any more, and without calls")
            self._retire()
        self._pool.resize(self._size_of_pool(orders))
        return orders

    def _may_retire(self) -> bool:
        """Say whether nobody would miss this worker: it takes no calls, and has none."""
        return self._is_surplus and self._settings.scale_in_exit and self._gate.taken == 0

    async def _beat_if_possible(self) -> None:
        try:
            await self.beat_once()
            if self._settings.affinity:
                # After its own beat, by which it can tell who was seen lately.
                self._colleagues.note(await self._fleet.workers())
        except (StoreUnavailable, WrongSchema) as error:
            if not self._is_away:
                logger.warning("not in the fleet's list", extra={"code": error.code})
            self._is_away = True
        except Exception:
            # Whatever it is, calls do not depend on the list.
            logger.exception("heartbeat failed")
        else:
            if self._is_away:
                logger.info("in the fleet's list again")
            self._is_away = False

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait until the next heartbeat is due, something has changed, or the worker stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.worker_heartbeat_s):
                is_changed = False
                while not (stop.is_set() or is_changed):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_SHORTEST_PAUSE_S):
                            await stop.wait()
                    is_changed = self._told != self._figures()

    def _size_of_pool(self, orders: Orders) -> int:
        """Return how many warm processes to keep: what an admin wants, or as many as our own number
        and the fleet's traffic ask for.

        More than there are places would never be used, nor any while no call is taken.
        """
        if orders.is_draining:
            return 0
        if orders.pool_size is not None:
            return min(orders.pool_size, self._gate.capacity)
        return max(self._settings.pool_size, min(orders.traffic_size, self._gate.capacity))

    def _figures(self) -> tuple[int, int]:
        return self._pool.active, self._pool.idle

    async def _renew(self) -> Orders:
        gate = self._gate
        # Told, also where Redis does not hear it: it is not tried again at once.
        self._told = active, idle = self._figures()
        spawned = self._pool.spawned
        beat = Beat(
            active=active,
            idle=idle,
            load=min(gate.taken / gate.capacity, 1.0),
            spawned=spawned,
            target=self._pool.target,
            # Its own stop only: what it was ordered is in the list already.
            is_draining=gate.is_draining,
            livekit_id=self._pool.livekit_worker_id,
            refill_ms=self._pool.refill_ms,
        )
        orders = await self._fleet.renew(self._id, beat)
        self._spawned_told = spawned
        return orders

    async def _register(self) -> None:
        """Enter the list, at the start and whenever it has lost this worker.

        What it was ordered before is not forgotten with it, nor by whom.
        """
        await self._fleet.register(
            Registration(
                id=self._id,
                capacity=self._gate.capacity,
                host=socket.gethostname(),
                version=VERSION,
                livekit_id=self._pool.livekit_worker_id,
                spawned=self._spawned_told,
            )
        )
        if self._gate.is_paused:
            drain = self._fleet.drain_surplus if self._is_surplus else self._fleet.drain
            await drain(self._id)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._fleet.leave(self._id)
        except (StoreUnavailable, WrongSchema, TimeoutError) as error:
            logger.warning("the fleet's list was not told", extra={"error": type(error).__name__})
