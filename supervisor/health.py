"""What a supervisor by itself tells over HTTP: that it lives, and its figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


class PortTaken(Exception):
    """Raised when nothing can listen where SUPERVISOR_HOST and SUPERVISOR_PORT say; says why."""


def build_app(registry: CollectorRegistry, leads: Callable[[], bool]) -> web.Application:
    """Build the two endpoints. They answer while the loops can run: all share an event loop."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True, "leads": leads()})

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=headers)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    return app


@asynccontextmanager
async def served(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve an application and yield the port it listens on. Raises PortTaken."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise PortTaken(f"{host}:{port}: {error.strerror or error}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
