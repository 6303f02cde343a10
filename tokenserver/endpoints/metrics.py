"""`GET /metrics`: the figures of this server, and those of the fleet, for Prometheus."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.responses import Response

from rooms.breaker import BreakerState
from sessions.errors import StoreUnavailable, WrongSchema
from supervisor.scale import scaling_of
from telemetry.meter import CONTENT_TYPE, Reading
from telemetry.metrics import BREAKER_OPEN, WATCHERS
from tokenserver.fleet_readings import fleet_readings
from tokenserver.http.call import Call
from tokenserver.http.operation import handles
from tokenserver.state import AppState

logger = logging.getLogger("tokenserver")

_OPENNESS = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 0.5, BreakerState.OPEN: 1.0}


@handles("Scrape the metrics", answers={HTTPStatus.OK: "text/plain"}, needs_store=False)
async def get_metrics(call: Call) -> Response:
    """Return the figures of this server in Prometheus' text format, and those of the fleet, which
    are missing while Redis is away."""
    meter, state = call.state["meter"], call.state
    meter.set(WATCHERS, state["watchers"].count)
    meter.set(BREAKER_OPEN, _OPENNESS[state["redis"].state], dependency="redis")
    meter.set(BREAKER_OPEN, _OPENNESS[state["rooms"].breaker.state], dependency="livekit")
    return Response(meter.text(await _fleet(state)), media_type=CONTENT_TYPE)


async def _fleet(state: AppState) -> list[Reading]:
    """Return what Redis tells of the fleet; nothing where it does not tell."""
    views, rules = state["store"].views, state["settings"].scale_rules
    try:
        with state["redis"].guard():
            summary, totals = await views.summary(), await views.totals()
            scaling = scaling_of(summary, await views.history(rules.minutes), rules)
            return list(fleet_readings(summary, totals, scaling))
    except (StoreUnavailable, WrongSchema) as error:
        logger.warning("scraped without the fleet", extra={"code": error.code})
        return []
