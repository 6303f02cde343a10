"""The user of one session, in its room.

The agent listens to this participant and to nobody else.
"""

from __future__ import annotations

import asyncio

from livekit import rtc


class Presence:
    """Knows whether the user is there. `joined` is set once they have been, however shortly."""

    def __init__(self, room: rtc.Room, identity: str) -> None:
        self._room = room
        self.identity = identity
        self.joined = asyncio.Event()

    def watch(self) -> None:
        """Look out for the user from now on; to be called before the room is joined."""
        self._room.on("participant_connected", self._on_participant)

    def look(self) -> None:
        """See who was in the room already; to be called once it is joined."""
        if self.identity in self._room.remote_participants:
            self.joined.set()

    async def has_come(self, deadline_s: float) -> bool:
        """Wait for the user; False when nobody came in time."""
        try:
            async with asyncio.timeout(deadline_s):
                await self.joined.wait()
        except TimeoutError:
            return False
        return True

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity:
            self.joined.set()
