"""`GET /metrics`: the figures of this server, for Prometheus."""

from __future__ import annotations

from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from rooms.breaker import BreakerState
from tokenserver.http.call import Call
from tokenserver.http.operation import handles

_OPENNESS = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


@handles("Scrape the metrics", answers={HTTPStatus.OK: "text/plain"}, needs_store=False)
async def get_metrics(call: Call) -> Response:
    """Return the figures of this server in Prometheus' text format."""
    metrics, state = call.state["metrics"], call.state
    metrics.watchers.set(state["watchers"].count)
    metrics.breakers.labels("redis").set(_OPENNESS[state["redis"].state])
    metrics.breakers.labels("livekit").set(_OPENNESS[state["rooms"].breaker.state])
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
