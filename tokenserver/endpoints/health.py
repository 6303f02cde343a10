"""Is it up, can it serve, and how is it doing."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from sessions.errors import StoreUnavailable
from telemetry.version import VERSION
from tokenserver.contract.fleet import (
    Alive,
    Circuit,
    Health,
    HealthDetails,
    HealthSessions,
    Latency,
    Readiness,
)
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles
from tokenserver.state import AppState


@handles("Is the process up", answers={HTTPStatus.OK: Alive}, needs_store=False)
async def healthz(call: Call) -> Response:  # noqa: ARG001 - a handler takes a call
    """Answer, and say nothing about the neighbours."""
    return answer(Alive(ok=True))


@handles(
    "Can sessions be started",
    answers={HTTPStatus.OK: Readiness, HTTPStatus.SERVICE_UNAVAILABLE: Readiness},
    needs_store=False,
)
async def readyz(call: Call) -> Response:
    """Answer 200, or 503 naming what is missing; 503 also once the server is about to stop."""
    state = call.state
    neighbours = await state["neighbours"].ask()
    is_stopping = state["watchers"].closing.is_set()
    is_ready = not is_stopping and all(value == "ok" for value in neighbours.values())
    value = Readiness(ready=is_ready, stopping=is_stopping, **neighbours)
    return answer(value, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@handles(
    "How is the fleet doing",
    answers={HTTPStatus.OK: Health, HTTPStatus.SERVICE_UNAVAILABLE: Health},
    needs_store=False,
)
async def health(call: Call) -> Response:
    """Return the sessions by state, the neighbours, and how fast the last sessions started."""
    state = call.state
    neighbours = await state["neighbours"].ask()
    is_well = all(value == "ok" for value in neighbours.values())
    sessions, workers, latency = None, None, None
    if neighbours["redis"] == "ok":
        try:
            sessions, workers, latency = await _figures(state)
        except StoreUnavailable:
            is_well, neighbours = False, {**neighbours, "redis": "unavailable"}
    value = Health(
        success=is_well,
        **neighbours,
        circuit=Circuit(redis=state["redis"].state, livekit=state["rooms"].breaker.state),
        sessions=sessions,
        workers=workers,
        latency=latency,
        details=_details(state) if call.caller.is_admin else None,
    )
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return answer(value, status, is_sparse=True)


async def _figures(state: AppState) -> tuple[HealthSessions, int, Latency]:
    store = state["store"]
    occupancy, workers = await store.occupancy(), await store.fleet.workers()
    sessions = HealthSessions(
        queued=occupancy.queued,
        starting=occupancy.starting,
        ready=occupancy.ready,
        active=occupancy.active,
        recovering=occupancy.recovering,
        pool=sum(worker.idle for worker in workers),
        capacity=occupancy.capacity,
    )
    latency = Latency(p50=occupancy.startup_p50_ms, p95=occupancy.startup_p95_ms)
    return sessions, len(workers), latency


def _details(state: AppState) -> HealthDetails:
    return HealthDetails(version=VERSION, watchers=state["watchers"].count)
