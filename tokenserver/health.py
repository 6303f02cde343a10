"""Is it up, can it serve, and how is it doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from rooms.errors import RoomsError
from sessions.errors import SessionError
from sessions.model import Occupancy
from tokenserver.state import ApiRequest

#: A probe waits no longer than this for a neighbour.
_PATIENCE_S = 2.0


async def healthz(request: ApiRequest) -> Response:  # noqa: ARG001 - an endpoint takes a request
    """The process answers; says nothing about its neighbours."""
    return JSONResponse({"ok": True})


async def readyz(request: ApiRequest) -> Response:
    """Sessions can be started: 200, or 503 naming what is missing."""
    neighbours = await _neighbours(request)
    ready = all(state == "ok" for state in neighbours.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"ready": ready, **neighbours}, status_code=status)


async def health(request: ApiRequest) -> Response:
    """The sessions by state, the neighbours, and how fast the last sessions started."""
    neighbours = await _neighbours(request)
    view: dict[str, Any] = {"success": all(state == "ok" for state in neighbours.values())}
    if neighbours["redis"] == "ok":
        view |= _figures(await request.state["store"].occupancy())
    status = HTTPStatus.OK if view["success"] else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(view | neighbours, status_code=status)


async def _neighbours(request: ApiRequest) -> dict[str, str]:
    redis, livekit = await asyncio.gather(
        _answers(request.state["store"].ping()), _answers(request.state["rooms"].ping())
    )
    return {"redis": redis, "livekit": livekit}


async def _answers(call: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await call
    except (SessionError, RoomsError, TimeoutError):
        return "unavailable"
    return "ok"


def _figures(occupancy: Occupancy) -> dict[str, Any]:
    return {
        "sessions": {
            "queued": occupancy.queued,
            "starting": occupancy.starting,
            "ready": occupancy.ready,
            "active": occupancy.active,
            "recovering": occupancy.recovering,
            "capacity": occupancy.capacity,
        },
        "latency": {"p50": occupancy.startup_p50_ms, "p95": occupancy.startup_p95_ms},
    }
