"""What a supervisor by itself tells over HTTP: that it lives, and its figures."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


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
