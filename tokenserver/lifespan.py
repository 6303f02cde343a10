"""What lives as long as the application: connections, loops, and who closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette

from rooms.client import Rooms, open_rooms
from sessions.connection import Temper, connect
from sessions.store import SessionStore
from supervisor.absent_workers import AbsentWorkers
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from supervisor.leases import LeaseSweeper
from supervisor.loop import run_every
from supervisor.reconcile import Reconciler
from supervisor.waiting_rooms import WaitingRooms
from telemetry.metrics import ApiMetrics
from tokenserver.access.keys import open_keys
from tokenserver.access.limits import RateLimits
from tokenserver.access.user_tokens import UserTokens
from tokenserver.affinity import Affinity
from tokenserver.circuit import RedisCircuit
from tokenserver.neighbours import Neighbours
from tokenserver.settings import TokenserverSettings
from tokenserver.state import AppState
from tokenserver.watchers import Watchers

#: Beyond the time that a user may be away: after a restart of LiveKit all come back at once.
_WAY_BACK_S = 10.0
#: How long a session waits for an agent after the first worker has come, at most.
_LOOK_FOR_WORKERS_S = 0.5


def lifespan_of(
    settings: TokenserverSettings, metrics: ApiMetrics, document: dict[str, Any]
) -> Callable[[Starlette], AbstractAsyncContextManager[AppState]]:
    """Return the lifespan of an application with these settings."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[AppState]:
        async with AsyncExitStack() as stack:
            redis = connect(settings, Temper.HASTY)
            stack.push_async_callback(redis.aclose)
            rooms = await stack.enter_async_context(open_rooms(settings))
            keys = await stack.enter_async_context(open_keys(settings))
            store = SessionStore(redis, settings)
            affinity = Affinity(store, rooms)
            stack.push_async_callback(affinity.aclose)
            feed, circuit = ChangeFeed(store), RedisCircuit(store, settings)
            for loop in (feed.run(), circuit.run(), *_supervision(settings, store, rooms, feed)):
                await stack.enter_async_context(_running(loop))
            watchers = Watchers(settings.watchers_limit, settings.watchers_per_address)
            app.state.watchers = watchers
            yield {
                "settings": settings,
                "store": store,
                "rooms": rooms,
                "feed": feed,
                "limits": RateLimits(redis, settings),
                "user_tokens": UserTokens(settings, keys),
                "redis": circuit,
                "watchers": watchers,
                "neighbours": Neighbours(store, rooms),
                "affinity": affinity,
                "metrics": metrics,
                "document": document,
            }

    return lifespan


def _supervision(
    settings: TokenserverSettings, store: SessionStore, rooms: Rooms, feed: ChangeFeed
) -> tuple[Coroutine[None, None, None], ...]:
    """Return the loops that keep sessions true to the world; each server runs them all."""
    reconciler = Reconciler(
        store, rooms, patience_s=settings.room_departure_timeout_s + _WAY_BACK_S
    )
    return (
        Dispatcher(store, rooms).run(feed),
        run_every(settings.sweep_interval_s, "leases", LeaseSweeper(store, rooms).sweep_once),
        run_every(_LOOK_FOR_WORKERS_S, "workers", AbsentWorkers(store).look_once),
        run_every(settings.reconcile_interval_s, "reconcile", reconciler.reconcile_once),
        WaitingRooms(store, rooms, patience_s=settings.room_departure_timeout_s).run(feed),
    )


@asynccontextmanager
async def _running(loop: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run a loop beside the application, and end it with the application."""
    task = asyncio.create_task(loop)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
