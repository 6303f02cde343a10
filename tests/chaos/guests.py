"""Users who only look whether an agent is there that could be heard: many fit on one machine."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from livekit import rtc

from tests.chaos.fates import Heard
from tests.chaos.front import Front
from tests.chaos.users import Visitor
from tests.support.wait import eventually
from voicefleet_client import VoicefleetError
from voicefleet_client.models import Token

_AGAIN_AFTER_S = 1.0


class Guest(Visitor):
    """Joins its room over WebRTC, says nothing and receives no sound."""

    def __init__(self, front: Front, turns: asyncio.Semaphore) -> None:
        super().__init__(front)
        self._turns = turns
        self._room: rtc.Room | None = None
        #: When the track of an agent was first there.
        self.found_at: float | None = None
        #: Why the room was closed.
        self.closed: str | None = None

    async def join(self, deadline_s: float) -> None:
        """Join; where LiveKit does not let anybody in, again and again. Raises ConnectError."""
        token = await self.token()
        ends_at = time.monotonic() + deadline_s
        while True:
            if await self._is_in(token, is_last=time.monotonic() > ends_at):
                return
            await asyncio.sleep(_AGAIN_AFTER_S)

    async def served(self, deadline_s: float) -> Heard:
        """Return after how many seconds from the start an agent was there, or why none was."""
        with suppress(AssertionError):
            await eventually(self._is_decided, self.asked_at + deadline_s - time.monotonic())
        if self.found_at is not None:
            return Heard(after_s=self.found_at - self.asked_at)
        try:
            view = await self.settled()
        except VoicefleetError as error:
            return Heard(after_s=None, room_closed=self.closed, trouble=str(error))
        return Heard(
            after_s=None, status=view.status, message=view.message, room_closed=self.closed
        )

    async def leave(self) -> None:
        """Leave the room."""
        room, self._room = self._room, None
        if room is not None:
            await room.disconnect()

    async def _is_in(self, token: Token, *, is_last: bool) -> bool:
        room = rtc.Room()
        room.on("track_published", self._on_track)
        room.on("disconnected", self._on_disconnected)
        options = rtc.RoomOptions(auto_subscribe=False)
        try:
            async with self._turns:
                await room.connect(token.server_url, token.participant_token, options)
        except rtc.ConnectError:
            if is_last:
                raise
            return False
        self._room = room
        for participant in room.remote_participants.values():
            for publication in participant.track_publications.values():
                self._on_track(publication, participant)
        return True

    async def _is_decided(self) -> bool:
        return self.found_at is not None or self.closed is not None

    def _on_track(
        self, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        if is_agent and publication.kind == rtc.TrackKind.KIND_AUDIO and self.found_at is None:
            self.found_at = time.monotonic()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.closed = rtc.DisconnectReason.Name(reason)
