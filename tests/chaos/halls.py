"""Who is in LiveKit's rooms, asked past all proxies."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from livekit import api
from livekit.protocol.models import ParticipantInfo

from rooms.client import Rooms
from rooms.errors import LiveKitUnavailable
from tests.chaos.sights import RoomSight, gap_s

_AT_ONCE = 8
_ANSWER_WITHIN_S = 5.0


class Halls:
    """Looks at all rooms of a server."""

    def __init__(self, rooms: Rooms, livekit: api.LiveKitAPI) -> None:
        self._rooms = rooms
        self._livekit = livekit
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._looked_at: float | None = None

    async def look(self) -> RoomSight:
        """Return who is where. Raises RoomsError while LiveKit is away."""
        names = sorted(await self._rooms.names())
        found = await asyncio.gather(*map(self._people, names))
        at = time.monotonic()
        agents = {
            name: [one for one in people if one.kind == ParticipantInfo.Kind.AGENT]
            for name, people in zip(names, found, strict=True)
        }
        sight = RoomSight(
            at=at,
            agents={name: frozenset(one.identity for one in them) for name, them in agents.items()},
            voiced=frozenset(
                name for name, them in agents.items() if any(one.tracks for one in them)
            ),
            elapsed_s=gap_s(self._looked_at, at),
        )
        self._looked_at = at
        return sight

    def blink(self) -> None:
        """Count no time from the last look to the next one: LiveKit was away."""
        self._looked_at = None

    async def _people(self, room: str) -> list[ParticipantInfo]:
        request = api.ListParticipantsRequest(room=room)
        async with self._turns:
            try:
                async with asyncio.timeout(_ANSWER_WITHIN_S):
                    return list((await self._livekit.room.list_participants(request)).participants)
            except api.TwirpError as error:
                if error.code == api.TwirpErrorCode.NOT_FOUND:
                    return []  # it was closed meanwhile
                raise LiveKitUnavailable(str(error)) from error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise LiveKitUnavailable(str(error)) from error
