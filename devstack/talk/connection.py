"""A connection to a room with a deadline, which is never given up while it is being made.

A `rtc.Room.connect` that is cancelled leaves the WebRTC library with a connection that nobody
takes, and it ends the whole process once it is there ("FFI Panic", livekit 1.1.21). So whoever does
not want to wait any longer leaves it alone, and it is closed when it is done.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from livekit import rtc

#: The library tries three times, for 5 s each, and waits in between.
_DECIDED_WITHIN_S = 30.0
_CLOSED_WITHIN_S = 5.0


class Connection:
    """One participant's connection to a room, once."""

    def __init__(self, room: rtc.Room) -> None:
        self.room = room
        self._connecting: asyncio.Task[None] | None = None

    async def open(self, url: str, token: str, within_s: float) -> None:
        """Join. Raises rtc.ConnectError, or TimeoutError after that many seconds."""
        self._connecting = asyncio.create_task(self.room.connect(url, token), name="joining a room")
        done, _ = await asyncio.wait({self._connecting}, timeout=within_s)
        if not done:
            raise TimeoutError(f"no connection within {within_s:g} s")
        self._connecting.result()

    async def close(self) -> None:
        """Leave, once it is known whether there is a connection. Can be called again."""
        if self._connecting is not None and not self._connecting.done():
            await asyncio.wait({self._connecting}, timeout=_DECIDED_WITHIN_S)
        # The library may wait for a server that is gone; the room is left all the same.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                await self.room.disconnect()
