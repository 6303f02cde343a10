"""The user of one session, in its room.

The agent listens to this participant and to nobody else. In a room of somebody else's the first
person who is seen there is the user; the framework takes the first one, too (RoomIO in 1.8.9).
"""

from __future__ import annotations

import asyncio

from livekit import rtc

_Kind = rtc.ParticipantKind
#: A client, a phone, another service that brings a person: as the framework has it.
_PEOPLE = frozenset(
    {
        _Kind.PARTICIPANT_KIND_STANDARD,
        _Kind.PARTICIPANT_KIND_SIP,
        _Kind.PARTICIPANT_KIND_CONNECTOR,
    }
)


class Presence:
    """Knows whether the user is there. `joined` is set once they have been, however shortly.

    `identity` is empty until somebody has come, where it is not known before.
    """

    def __init__(self, room: rtc.Room, identity: str) -> None:
        self._room = room
        self.identity = identity
        self.joined = asyncio.Event()

    def watch(self) -> None:
        """Look out for the user from now on; to be called before the room is joined."""
        self._room.on("participant_connected", self._on_participant)

    def look(self) -> None:
        """See who was in the room already; to be called once it is joined."""
        for participant in self._room.remote_participants.values():
            self._on_participant(participant)

    async def has_come(self, deadline_s: float) -> bool:
        """Wait for the user; False when nobody came in time."""
        try:
            async with asyncio.timeout(deadline_s):
                await self.joined.wait()
        except TimeoutError:
            return False
        return True

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if not self.identity and participant.kind in _PEOPLE:
            self.identity = participant.identity
        if participant.identity == self.identity:
            self.joined.set()
