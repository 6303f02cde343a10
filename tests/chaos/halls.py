"""Who is in LiveKit's rooms, asked past all proxies and without any code of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from livekit import api
from livekit.protocol.models import ParticipantInfo

from tests.chaos.sights import RoomSight, gap_s

T = TypeVar("T")

_AT_ONCE = 8
_ANSWER_WITHIN_S = 5.0


class LiveKitAway(Exception):
    """Raised when the server does not answer, or not in time."""


class Halls:
    """Looks at all rooms of a server. Everything may raise LiveKitAway."""

    def __init__(self, livekit: api.LiveKitAPI) -> None:
        self._livekit = livekit
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._looked_at: float | None = None

    async def look(self) -> RoomSight:
        """Return who is where."""
        names = await self.names()
        found = await asyncio.gather(*map(self.agents, names))
        at = time.monotonic()
        sight = RoomSight(
            at=at,
            agents={name: frozenset(them) for name, them in zip(names, found, strict=True)},
            elapsed_s=gap_s(self._looked_at, at),
        )
        self._looked_at = at
        return sight

    def blink(self) -> None:
        """Count no time from the last look to the next one: LiveKit was away."""
        self._looked_at = None

    async def names(self) -> list[str]:
        """Return the names of all rooms."""
        answer = await _answer(self._livekit.room.list_rooms(api.ListRoomsRequest()))
        return sorted(room.name for room in answer.rooms)

    async def agents(self, room: str) -> list[str]:
        """Return the agents in a room; none where there is no room."""
        request = api.ListParticipantsRequest(room=room)
        async with self._turns:
            try:
                found = await _answer(self._livekit.room.list_participants(request))
            except api.ServerError as error:
                if error.code == api.ServerErrorCode.NOT_FOUND:
                    return []  # it was closed meanwhile
                raise
        agent = ParticipantInfo.Kind.AGENT
        return sorted(one.identity for one in found.participants if one.kind == agent)

    async def close(self, room: str) -> None:
        """Close a room, whosever it is."""
        await _answer(self._livekit.room.delete_room(api.DeleteRoomRequest(room=room)))


@asynccontextmanager
async def open_halls(url: str, key: str, secret: str) -> AsyncIterator[Halls]:
    """Yield the rooms of a server, over HTTP."""
    async with api.LiveKitAPI(url.replace("ws", "http", 1), key, secret) as livekit:
        yield Halls(livekit)


async def _answer(call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            return await call
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise LiveKitAway(repr(error)) from error
    except api.ServerError as error:
        if error.status >= 500:
            raise LiveKitAway(repr(error)) from error
        raise
