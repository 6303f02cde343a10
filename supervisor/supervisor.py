"""The supervision on one screen: which loops there are, and that one process at a time runs them.

Each loop is one failure story, told at the top of its file. Each looks at the store and at LiveKit
as they are, so whoever takes the office over has missed nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from rooms.client import Rooms
from sessions.errors import StoreUnavailable
from sessions.states import State
from sessions.store import SessionStore
from supervisor.absent_workers import AbsentWorkers
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from supervisor.endings import RoomCloser
from supervisor.ghosts import Ghosts
from supervisor.leadership import Leadership
from supervisor.leases import LeaseSweeper
from supervisor.line import Line
from supervisor.loop import run_every
from supervisor.reconcile import Reconciler
from supervisor.settings import SupervisorSettings
from supervisor.unserved_rooms import UnservedRooms
from supervisor.waiting_rooms import WaitingRooms
from telemetry.meter import Meter
from telemetry.metrics import STRANDED, SUPERVISOR_LEADS
from telemetry.tracing import OFF, Traces

logger = logging.getLogger("supervisor")

#: Beyond the time that a user may be away: after a restart of LiveKit all come back at once.
_WAY_BACK_S = 10.0
#: A leader tells so often within its lease that it is there; most of these may get lost.
_WORDS_PER_LEASE = 4
#: The office is given up within this at the end, or the lease lapses.
_FAREWELL_S = 2.0


@dataclass(frozen=True, slots=True)
class Loop:
    """When what is looked for."""

    name: str
    interval_s: float
    #: Looks once; returns how much it has put right.
    one_pass: Callable[[], Awaitable[int]]
    #: A session that comes into one of these states is looked at at once.
    wakes: tuple[State, ...] = ()

    async def run(self, feed: ChangeFeed, meter: Meter | None = None) -> None:
        """Look again and again, until cancelled."""
        async with feed.watch(*self.wakes) as changes:
            await run_every(
                self.interval_s, self.name, self.one_pass, pause=changes.wait, meter=meter
            )


def loops(
    settings: SupervisorSettings,
    store: SessionStore,
    rooms: Rooms,
    meter: Meter,
    traces: Traces = OFF,
) -> tuple[Loop, ...]:
    """Return what a leader does. Nothing in it is older than its term."""
    departure_s = settings.room_departure_timeout_s
    reconciler = Reconciler(store, rooms, patience_s=departure_s + _WAY_BACK_S)
    waiting = WaitingRooms(store, rooms, patience_s=departure_s)
    absent = AbsentWorkers(store, partial(meter.set, STRANDED))
    return (
        Loop(
            "dispatches",
            settings.dispatch_interval_s,
            Dispatcher(store, rooms, traces=traces).dispatch_due_once,
            wakes=(State.STARTING, State.RECOVERING),
        ),
        Loop("leases", settings.sweep_interval_s, LeaseSweeper(store).sweep_once),
        Loop("ghosts", settings.ghosts_interval_s, Ghosts(store, rooms).lay_once),
        Loop("workers", settings.workers_interval_s, absent.look_once),
        Loop("queue", settings.queue_interval_s, Line(store).advance_once),
        Loop(
            "waiting rooms",
            settings.waiting_interval_s,
            waiting.tell_once,
            wakes=(State.QUEUED, State.STARTING),
        ),
        Loop(
            "unserved rooms",
            settings.unserved_interval_s,
            UnservedRooms(store, rooms, traces=traces).serve_once,
        ),
        Loop("endings", settings.closing_interval_s, RoomCloser(store, rooms).close_once),
        Loop("reconcile", settings.reconcile_interval_s, reconciler.reconcile_once),
    )


class Supervisor:
    """Leads the supervision of a fleet while it is elected. `run` belongs to one task."""

    def __init__(
        self,
        settings: SupervisorSettings,
        store: SessionStore,
        rooms: Rooms,
        feed: ChangeFeed,
        meter: Meter,
        *,
        traces: Traces = OFF,
    ) -> None:
        self._settings = settings
        self._rooms = rooms
        self._feed = feed
        self._meter = meter
        self._traces = traces
        self._leadership = Leadership(
            store,
            lease_s=settings.leader_lease_s,
            is_fit=lambda: rooms.can_be_asked,
        )
        #: Refuses what is written when another supervisor leads.
        self._store = store.fenced(self._leadership.term)
        self._working: list[asyncio.Task[None]] = []
        self._term = 0

    @property
    def leads(self) -> bool:
        """Whether this one leads, as far as it can know by itself."""
        return self._leadership.leads

    async def run(self) -> None:
        """Stand for the office, and work while in it, until cancelled."""
        interval_s = self._settings.leader_lease_s / _WORDS_PER_LEASE
        try:
            await run_every(interval_s, "leadership", self.stand_once, meter=self._meter)
        finally:
            await self._stop_working()
            self._meter.set(SUPERVISOR_LEADS, 0)
            self._meter.set(STRANDED, 0)
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._leadership.resign()

    async def stand_once(self) -> int:
        """Ask for the office, and begin or stop to work accordingly; return 1 for a new term."""
        leads = await self._leadership.campaign_once()
        self._meter.set(SUPERVISOR_LEADS, leads)
        term = self._leadership.term() if leads else 0
        if self._working and term == self._term:
            return 0
        await self._stop_working()
        if not leads:
            return 0
        self._term = term
        self._working = [
            asyncio.create_task(loop.run(self._feed, self._meter), name=loop.name)
            for loop in loops(self._settings, self._store, self._rooms, self._meter, self._traces)
        ]
        return 1

    async def _stop_working(self) -> None:
        working, self._working = self._working, []
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
