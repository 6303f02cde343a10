"""Somebody in a room who says something every few seconds, by voice and by typing in turns."""

from __future__ import annotations

import asyncio
import itertools
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from devstack.talk.caller import Caller, CallerError
from tests.chaos.fates import Heard
from tests.chaos.voice import sentence

_PAUSE_S = 2.0
_LOOK_EVERY_S = 0.02
_WORDS = "Are you still there?"


class Talker(ABC):
    """Talks with whatever agent there is, and notes when one was heard; leaves with the block."""

    def __init__(self) -> None:
        self._caller: Caller | None = None
        self._talking: asyncio.Task[None] | None = None
        #: What is typed instead of the usual, once.
        self.next_words: str | None = None
        #: What could not be said, since the room was not to be reached.
        self.troubles: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    @property
    def caller(self) -> Caller:
        """The participant."""
        assert self._caller is not None, "not in the room"
        return self._caller

    @property
    def voice(self) -> str | None:
        """Identity of the agent that is listened to."""
        voices = self.caller.log.voices
        return voices[-1][1] if voices else None

    async def enter(self, caller: Caller) -> None:
        """Join the room. Raises CallerError."""
        await caller.__aenter__()
        self._caller = caller

    def talk(self) -> None:
        """Say something every few seconds from now on."""
        self._talking = asyncio.create_task(self._talk(), name="user talks")

    def agents(self) -> list[str]:
        """Return the agents in the room, as this participant sees it."""
        people = self.caller.room.remote_participants.values()
        agent = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        return [one.identity for one in people if one.kind == agent]

    async def heard_after(
        self, moment: float, deadline_s: float, *, other_than: str | None = None
    ) -> Heard:
        """Return after how many seconds an agent was heard, or why none was.

        With `other_than` the last words of that agent do not count, which were on their way.
        """
        while time.monotonic() < moment + deadline_s and self.caller.log.ended_because is None:
            since = moment if other_than is None else self._since(moment, other_than)
            heard_at = None if since is None else self.caller.hearing.first_loud_after(since)
            if heard_at is not None:
                return Heard(after_s=heard_at - moment)
            await asyncio.sleep(_LOOK_EVERY_S)
        return await self._nobody()

    async def leave(self) -> None:
        """Stop talking, and leave the room; the session is somebody else's to end."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            self._talking = None
        if self._caller is not None:
            await self._caller.close()

    @abstractmethod
    async def _nobody(self) -> Heard:
        """Say why nobody was heard, as far as this user can know."""

    def _since(self, moment: float, other_than: str) -> float | None:
        """Return since when somebody else is listened to."""
        voices = self.caller.log.voices
        return next((at for at, who in voices if at > moment and who != other_than), None)

    async def _talk(self) -> None:
        for turn in itertools.count():
            if self.caller.log.ended_because is not None:
                return
            words, self.next_words = self.next_words, None
            try:
                if words is None and turn % 2:
                    await self.caller.say(sentence())
                else:
                    await self.caller.type(words or _WORDS)
            except (CallerError, StreamError) as error:
                self.troubles.append(repr(error))
            await asyncio.sleep(_PAUSE_S)
