"""The application on one screen: routes, middleware, errors, lifespan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from rooms.client import open_rooms
from sessions.connection import Temper, connect
from sessions.store import SessionStore
from supervisor.leases import LeaseSweeper
from supervisor.loop import run_every
from tokenserver.endpoints import get_session, start_session, stop_session
from tokenserver.errors import HANDLED, answer_error
from tokenserver.health import health, healthz, readyz
from tokenserver.middleware import AccessLog
from tokenserver.settings import TokenserverSettings
from tokenserver.state import AppState
from tokenserver.tokens import create_token
from tokenserver.webhooks import receive_webhook

ROUTES = [
    Route("/api/session/start", start_session, methods=["POST"]),
    Route("/api/session/stop", stop_session, methods=["POST"]),
    Route("/api/session/{session_id}", get_session, methods=["GET"]),
    Route("/api/token", create_token, methods=["POST"]),
    Route("/api/health", health, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/livekit/webhook", receive_webhook, methods=["POST"]),
]


def create_app(settings: TokenserverSettings) -> Starlette:
    """Return the token server as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[AppState]:
        async with AsyncExitStack() as stack:
            redis = connect(settings, Temper.HASTY)
            stack.push_async_callback(redis.aclose)
            rooms = await stack.enter_async_context(open_rooms(settings))
            store = SessionStore(redis, settings)
            sweeper = LeaseSweeper(store, rooms)
            await stack.enter_async_context(
                _running(run_every(settings.sweep_interval_s, "leases", sweeper.sweep_once))
            )
            yield {"settings": settings, "store": store, "rooms": rooms}

    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(AccessLog),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                max_age=600,
            ),
        ],
        exception_handlers=dict.fromkeys(HANDLED, answer_error),
        lifespan=lifespan,
    )
    # A path with a slash too many is unknown, not moved.
    app.router.redirect_slashes = False
    return app


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
