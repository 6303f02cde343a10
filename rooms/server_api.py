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
#: A clock that has moved by more than this, against time that went by, was set.
_MOST_SET_S = 5.0


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
        self._signed_at_s = self._clock_less_time_s = 0.0

    @property
    def all_rooms(self) -> RoomService:
        """Creates, lists and deletes rooms.

        One token is good for all of them, and made ahead: livekit-api would sign each call anew,
        while the user of a session that starts is waiting.
        """
        if self._tokened is None or self._is_stale():
            token = signed(
                self._settings, {"video": {"roomCreate": True, "roomList": True}}, ttl_s=_TTL_S
            )
            self._tokened = api.LiveKitAPI.with_token(
                token, self._settings.livekit_url, session=self._http
            )
            self._signed_at_s = time.monotonic()
            self._clock_less_time_s = time.time() - self._signed_at_s
        return self._tokened.room

    def forget_token(self) -> None:
        """Sign the next call anew: it may be the clock that was wrong."""
        self._tokened = None

    def _is_stale(self) -> bool:
        """Say whether the token is old, or signed by a clock that was set since.

        Otherwise it would vouch for a clock by which users are given tokens that LiveKit refuses.
        """
        now_s = time.monotonic()
        set_s = abs(time.time() - now_s - self._clock_less_time_s)
        return now_s - self._signed_at_s >= _TTL_S / 2 or set_s > _MOST_SET_S

    @property
    def inside(self) -> api.LiveKitAPI:
        """Acts inside a room. LiveKit asks for a token that names it."""
        return self._keyed
