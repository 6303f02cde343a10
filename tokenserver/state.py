"""What every request can reach."""

from __future__ import annotations

from typing import Any, TypedDict

from rooms.client import Rooms
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from telemetry.meter import Meter
from telemetry.tracing import Traces
from tokenserver.access.limits import RateLimits
from tokenserver.access.user_tokens import UserTokens
from tokenserver.affinity import Affinity
from tokenserver.circuit import RedisCircuit
from tokenserver.neighbours import Neighbours
from tokenserver.settings import TokenserverSettings
from tokenserver.watchers import Watchers


class AppState(TypedDict):
    """Yielded by the lifespan; Starlette hands a copy to each request."""

    settings: TokenserverSettings
    store: SessionStore
    rooms: Rooms
    feed: ChangeFeed
    limits: RateLimits
    user_tokens: UserTokens
    redis: RedisCircuit
    watchers: Watchers
    neighbours: Neighbours
    affinity: Affinity
    meter: Meter
    traces: Traces
    document: dict[str, Any]
