"""What a supervisor by itself tells over HTTP: that it lives, and its figures."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from telemetry.meter import CONTENT_TYPE, Meter


def build_app(meter: Meter, leads: Callable[[], bool]) -> web.Application:
    """Build the two endpoints. They answer while the loops can run: all share an event loop."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True, "leads": leads()})

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=meter.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics)
    return app
