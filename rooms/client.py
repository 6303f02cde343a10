"""Rooms on the LiveKit server: open one with its agent, close one, ask whether it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from livekit import api

from rooms.errors import LiveKitRefused, LiveKitUnavailable
from rooms.settings import RoomSettings

#: A user and, for a moment, the same user reconnecting; agents are not counted.
_MAX_USERS = 2


class Rooms:
    """The LiveKit server API, as far as we need it.

    Every method may raise LiveKitUnavailable or LiveKitRefused; none takes longer than
    ``livekit_timeout_s``.
    """

    def __init__(self, client: api.LiveKitAPI, settings: RoomSettings) -> None:
        self._client = client
        self._settings = settings

    async def open(self, room: str, agent_metadata: str) -> None:
        """Create a room and send for its agent, which may come before any user does."""
        request = api.CreateRoomRequest(
            name=room,
            empty_timeout=self._settings.room_empty_timeout_s,
            departure_timeout=self._settings.room_departure_timeout_s,
            max_participants=_MAX_USERS,
            agents=[
                api.RoomAgentDispatch(agent_name=self._settings.agent_name, metadata=agent_metadata)
            ],
        )
        await self._call(self._client.room.create_room(request))

    async def close(self, room: str) -> bool:
        """Close a room and put everybody out; False when it was not there."""
        try:
            await self._call(self._client.room.delete_room(api.DeleteRoomRequest(room=room)))
        except _NotThereError:
            return False
        return True

    async def ping(self) -> None:
        """Raise unless the server answers and knows our key."""
        await self._call(self._client.room.list_rooms(api.ListRoomsRequest(names=["no-such-room"])))

    async def _call(self, request: Awaitable[object]) -> None:
        # livekit-api overrides the session's own time-out with none at all.
        with _translated_errors():
            async with asyncio.timeout(self._settings.livekit_timeout_s):
                await request


@asynccontextmanager
async def open_rooms(settings: RoomSettings) -> AsyncIterator[Rooms]:
    """Yield a client of the LiveKit server API; close its connections at the end."""
    async with api.LiveKitAPI(
        settings.livekit_url,
        settings.livekit_api_key,
        settings.livekit_api_secret.get_secret_value(),
    ) as client:
        yield Rooms(client, settings)


class _NotThereError(LiveKitRefused):
    """The room does not exist."""


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise LiveKitUnavailable(f"LiveKit did not answer ({type(error).__name__})") from error
    except api.ServerError as error:
        if error.code == api.ServerErrorCode.NOT_FOUND:
            raise _NotThereError(error.message) from error
        if error.status >= 500:
            raise LiveKitUnavailable(f"LiveKit failed ({error.code})") from error
        raise LiveKitRefused(f"LiveKit refused the call ({error.code})") from error
