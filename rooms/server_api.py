"""LiveKit's server API, with as few signatures as it allows."""

from __future__ import annotations

import time

import aiohttp
from livekit import api
from livekit.api.room_service import RoomService

from rooms.settings import RoomSettings
from rooms.tokens import signed

#: How long one token opens rooms. It is replaced at half of that.
_TTL_S = 600


class ServerApi:
    """The services of one LiveKit server. Shares the HTTP session it is given, and closes nothing.

    Raises what livekit-api and aiohttp do.
    """

    def __init__(self, settings: RoomSettings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._http = http
        self._keyed = api.LiveKitAPI(
            settings.livekit_url,
            settings.livekit_api_key,
            settings.livekit_api_secret.get_secret_value(),
            session=http,
        )
        self._tokened: api.LiveKitAPI | None = None
        self._renew_at_s = 0.0

    @property
    def all_rooms(self) -> RoomService:
        """Creates, lists and deletes rooms.

        One token is good for all of them, and made ahead: livekit-api would sign each call anew,
        while the user of a session that starts is waiting.
        """
        if self._tokened is None or time.monotonic() >= self._renew_at_s:
            token = signed(
                self._settings, {"video": {"roomCreate": True, "roomList": True}}, ttl_s=_TTL_S
            )
            self._tokened = api.LiveKitAPI.with_token(
                token, self._settings.livekit_url, session=self._http
            )
            self._renew_at_s = time.monotonic() + _TTL_S / 2
        return self._tokened.room

    @property
    def inside(self) -> api.LiveKitAPI:
        """Acts inside a room. LiveKit asks for a token that names it."""
        return self._keyed
