"""Whether Redis and LiveKit answer, asked once a second at most, whoever wants to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionError
from sessions.store import SessionStore

Answer = Literal["ok", "unavailable"]

#: A probe waits no longer than this for a neighbour.
_PATIENCE_S = 2.0
_GOOD_FOR_S = 1.0


class Neighbours:
    """Probes of both, shared by all who ask within a second."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._probes: dict[str, Callable[[], Awaitable[None]]] = {
            "redis": store.ping,
            "livekit": rooms.ping,
        }
        self._known: dict[str, Answer] = {}
        self._known_until_s = 0.0
        self._asking = asyncio.Lock()

    async def ask(self) -> dict[str, Answer]:
        """Return how each of them is."""
        async with self._asking:
            if time.monotonic() >= self._known_until_s:
                answers = await asyncio.gather(
                    *(_answers(probe) for probe in self._probes.values())
                )
                self._known = dict(zip(self._probes, answers, strict=True))
                self._known_until_s = time.monotonic() + _GOOD_FOR_S
        return self._known


async def _answers(probe: Callable[[], Awaitable[None]]) -> Answer:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await probe()
    except (SessionError, RoomsError, TimeoutError):
        return "unavailable"
    return "ok"
