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
from supervisor.alarms import Alarms
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from supervisor.endings import RoomCloser
from supervisor.ghosts import Ghosts
from supervisor.leadership import Leadership
from supervisor.leases import LeaseSweeper
from supervisor.line import Line
from supervisor.loop import run_every
from supervisor.pool_tuner import PoolTuner
from supervisor.reconcile import Reconciler
from supervisor.redis_watch import RedisWatch
from supervisor.scale_in import ScaleIn
from supervisor.session_events import SessionEvents
from supervisor.session_messages import TOLD
from supervisor.settings import SupervisorSettings
from supervisor.unserved_rooms import UnservedRooms
from supervisor.waiting_rooms import WaitingRooms
from telemetry.meter import Meter
from telemetry.metrics import NOTICE_AGE, NOTICES_WAITING, STRANDED, SUPERVISOR_LEADS
from telemetry.tracing import OFF, Traces

logger = logging.getLogger("supervisor")

#: Beyond the time that a user may be away: after a restart of LiveKit all come back at once.
_WAY_BACK_S = 10.0
#: A leader tells so often within its lease that it is there; most of these may get lost.
_WORDS_PER_LEASE = 4
#: How soon an event is tried again that could not be delivered; a new one is told at once.
_EVENTS_INTERVAL_S = 1.0
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
        Loop("pool", settings.pool_interval_s, PoolTuner(settings, store).tune_once),
        Loop("scale in", settings.scale_in_interval_s, ScaleIn(store, settings).scale_once),
        *_telling(settings, store, rooms, meter),
    )


def _telling(
    settings: SupervisorSettings, store: SessionStore, rooms: Rooms, meter: Meter
) -> tuple[Loop, ...]:
    """Return the loops that tell others, as far as anybody wants to be told."""
    found: list[Loop] = []
    if courier := settings.alert_courier():
        alarms = Alarms(store, rooms, courier, settings, meter)
        found.append(Loop("alarms", settings.alert_interval_s, alarms.look_once))
    if courier := settings.event_courier():
        give_up_s = settings.event_webhook_give_up_s
        events = SessionEvents(store, courier, meter, give_up_s=give_up_s)
        found.append(
            Loop("session events", _EVENTS_INTERVAL_S, events.tell_once, wakes=tuple(sorted(TOLD)))
        )
    return tuple(found)


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
        watching = asyncio.create_task(self._watch_redis())
        try:
            await run_every(interval_s, "leadership", self.stand_once, meter=self._meter)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._stop_working()
            self._meter.set(SUPERVISOR_LEADS, 0)
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._leadership.resign()

    async def _watch_redis(self) -> None:
        """Tell of an outage of Redis, which no loop of a leader outlives."""
        courier = self._settings.alert_courier()
        if courier is None:
            return
        watch = RedisWatch(
            self._store, courier, self._settings, self._meter, leads=lambda: self.leads
        )
        interval_s = self._settings.alert_interval_s
        await run_every(interval_s, "redis", watch.look_once, meter=self._meter)

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
        # Only who leads knows of any; the next one tells its own.
        self._meter.set(STRANDED, 0)
        for kind in ("alert", "event"):  # what is to be told is somebody else's now
            self._meter.set(NOTICES_WAITING, 0, kind=kind)
            self._meter.set(NOTICE_AGE, 0, kind=kind)
