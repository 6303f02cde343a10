"""What every request can reach."""

from __future__ import annotations

from typing import TypedDict

from starlette.requests import Request

from rooms.client import Rooms
from sessions.store import SessionStore
from tokenserver.settings import TokenserverSettings


class AppState(TypedDict):
    """Yielded by the lifespan; Starlette hands a copy to each request."""

    settings: TokenserverSettings
    store: SessionStore
    rooms: Rooms


ApiRequest = Request[AppState]
