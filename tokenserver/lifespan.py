"""What lives as long as the application: connections, loops, and who closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    suppress,
)
from functools import partial
from typing import Any

from starlette.applications import Starlette

from rooms.client import Rooms, open_rooms
from sessions.connection import Temper, connect
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.supervisor import Supervisor
from telemetry.meter import Meter
from telemetry.metrics import SPANS_LOST
from telemetry.tracing import Traces, open_traces
from tokenserver.access.keys import open_keys
from tokenserver.access.limits import RateLimits
from tokenserver.access.user_tokens import UserTokens
from tokenserver.affinity import Affinity
from tokenserver.circuit import RedisCircuit
from tokenserver.neighbours import Neighbours
from tokenserver.settings import TokenserverSettings
from tokenserver.state import AppState
from tokenserver.watchers import Watchers


def lifespan_of(
    settings: TokenserverSettings, meter: Meter, document: dict[str, Any]
) -> Callable[[Starlette], AbstractAsyncContextManager[AppState]]:
    """Return the lifespan of an application with these settings."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[AppState]:
        async with AsyncExitStack() as stack:
            traces = await stack.enter_async_context(_tracing(settings, meter))
            redis = connect(settings, Temper.HASTY)
            stack.push_async_callback(redis.aclose)
            rooms = await stack.enter_async_context(open_rooms(settings, on_call=meter.note_call))
            keys = await stack.enter_async_context(open_keys(settings))
            store = SessionStore(redis, settings, on_step=meter.note_step)
            affinity = Affinity(store, rooms, traces)
            stack.push_async_callback(affinity.aclose)
            feed, circuit = ChangeFeed(store), RedisCircuit(store, settings)
            await stack.enter_async_context(_running(feed.run()))
            await stack.enter_async_context(_running(circuit.run()))
            if settings.supervise:
                await stack.enter_async_context(_supervising(settings, rooms, feed, meter, traces))
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
                "meter": meter,
                "traces": traces,
                "document": document,
            }

    return lifespan


@asynccontextmanager
async def _tracing(settings: TokenserverSettings, meter: Meter) -> AsyncIterator[Traces]:
    """Yield where spans go; those of all the rest are sent when it ends."""
    async with aclosing(
        open_traces(settings, "tokenserver", partial(meter.count, SPANS_LOST))
    ) as traces:
        yield traces


@asynccontextmanager
async def _supervising(
    settings: TokenserverSettings, rooms: Rooms, feed: ChangeFeed, meter: Meter, traces: Traces
) -> AsyncIterator[None]:
    """Supervise the fleet beside the application, in turns with other servers.

    Loops can wait, unlike who asks over HTTP: on a busy machine an answer that takes half a second
    is no outage.
    """
    async with aclosing(connect(settings, Temper.PATIENT)) as redis:
        store = SessionStore(redis, settings, on_step=meter.note_step)
        supervisor = Supervisor(settings, store, rooms, feed, meter, traces=traces)
        async with _running(supervisor.run()):
            yield


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
