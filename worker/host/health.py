"""Whether this worker lives, and whether calls may be sent to it.

The framework's own endpoint answers 200 while it is disconnected and while it drains.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from telemetry.meter import CONTENT_TYPE
from telemetry.version import VERSION
from worker.host.admission import Gate
from worker.host.pool import Pool
from worker.settings import WorkerSettings


class Health:
    """What the endpoints answer."""

    def __init__(self, settings: WorkerSettings, pool: Pool, gate: Gate) -> None:
        self._settings = settings
        self._pool = pool
        self._gate = gate

    def reasons_not_ready(self) -> list[str]:
        """Say why no call should be sent here; empty when one may."""
        is_full = self._gate.taken >= self._gate.capacity
        # Its share of a small pool may be none at all: it starts processes as calls come.
        lacks_warmth = self._pool.idle == 0 and self._pool.target > 0
        checks = {
            "draining": self._gate.is_draining or self._gate.is_paused,
            "not registered with LiveKit": not self._pool.is_registered,
            "processes do not start": self._pool.failures > 0,
            "no warm process": lacks_warmth and not is_full,
        }
        return [reason for reason, applies in checks.items() if applies]

    def describe(self) -> dict[str, object]:
        """Describe the worker, for people and for the fleet's books."""
        return {
            "id": self._settings.worker_id,
            "livekitWorkerId": self._pool.livekit_worker_id,
            "agentName": self._settings.agent_name,
            "active": self._pool.active,
            "idle": self._pool.idle,
            "poolTarget": self._pool.target,
            "capacity": self._gate.capacity,
            "draining": self._gate.is_draining or self._gate.is_paused,
            "version": VERSION,
        }


def build_app(health: Health, scrape: Callable[[], bytes]) -> web.Application:
    """Build the endpoints. They are for operators: keep the port to yourself."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        reasons = health.reasons_not_ready()
        body = {"ready": not reasons, "reasons": reasons}
        return web.json_response(body, status=503 if reasons else 200)

    async def worker(_: web.Request) -> web.Response:
        return web.json_response(health.describe())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=scrape(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/worker", worker)
    app.router.add_get("/metrics", metrics)
    return app
