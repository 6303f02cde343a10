"""The user of one session, in its room.

The agent listens to this participant and to nobody else. Whoever leaves may come back for a while:
a page that is loaded anew leaves, too. One who is in the room without a connection for media is on
the way: LiveKit's clients wait 15 s for it, and then leave and try again. In a room of somebody
else's the first person who is seen there is the user; the framework takes the first one, too
(RoomIO in 1.8.9).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from livekit import rtc

logger = logging.getLogger(__name__)

_Kind = rtc.ParticipantKind
_ACTIVE = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
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

    `identity` is empty until somebody has come, where it is not known before. `on_away` is told
    when the user leaves, `on_gone` once they have been away for `grace_s`; for `first_grace_s`, if
    they have never been connected. `connected` is set while they are: as long as media can flow
    between them and LiveKit.
    """

    def __init__(
        self,
        room: rtc.Room,
        identity: str,
        *,
        grace_s: float,
        first_grace_s: float,
        on_away: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._room = room
        self._grace_s, self._first_grace_s = grace_s, first_grace_s
        self._on_away = on_away
        self._on_gone = on_gone
        self._judgement: asyncio.TimerHandle | None = None
        self.identity = identity
        self.joined = asyncio.Event()
        self.connected = asyncio.Event()
        #: Whether media could flow between them and LiveKit, however shortly.
        self.was_connected = False
        self._is_seen = asyncio.Event()

    def watch(self) -> None:
        """Look out for the user from now on; to be called before the room is joined."""
        self._room.on("participant_connected", self._on_participant)
        self._room.on("participant_active", self._on_active)
        self._room.on("participant_disconnected", self._on_participant_left)

    def look(self) -> None:
        """See who was in the room already; to be called once it is joined."""
        for participant in self._room.remote_participants.values():
            self._on_participant(participant)

    @property
    def has_company(self) -> bool:
        """Whether anybody else is known to be in the room; another agent counts, too."""
        return any(one != self.identity for one in self._room.remote_participants)

    async def has_come(self, deadline_s: float) -> bool:
        """Wait until the user is seen in the room, whoever else is; False if not in time."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._is_seen.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Judge nobody any more."""
        if self._judgement is not None:
            self._judgement.cancel()

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if not self.identity and participant.kind in _PEOPLE:
            self.identity = participant.identity
        if participant.identity == self.identity:
            self._is_seen.set()
            self.joined.set()
            self._on_active(participant)

    def _on_active(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity and participant.state == _ACTIVE:
            self.was_connected = True
            self.connected.set()

    def _on_participant_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self.identity:
            return
        self.close()
        self.connected.clear()
        loop = asyncio.get_running_loop()
        grace_s = self._grace_s if self.was_connected else self._first_grace_s
        self._judgement = loop.call_later(grace_s, self._judge)
        extra = {"grace_s": grace_s, "was_connected": self.was_connected}
        logger.info("user left", extra=extra)
        self._on_away()

    def _judge(self) -> None:
        # Whoever joins a second time puts the first participant out; in which order we hear of the
        # two does not matter here.
        if self.identity not in self._room.remote_participants:
            self._on_gone()
