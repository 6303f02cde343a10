"""A call changes hands: another agent goes on with it, in the same room, and this one leaves.

The order matters. What was said last is still written down under this agent's epoch; only then is
the session given back, which lets another agent be sent (supervisor/dispatches.py). This one stays
in the room, silent, so that the user does not sit in an empty one, and leaves when the other comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from livekit import rtc

from worker.call.conversation import Conversation
from worker.call.lease import Lease

logger = logging.getLogger(__name__)

REASON = "The worker of its agent stops."
#: How long the end of a sentence is waited for, the user's or the agent's.
_LAST_SENTENCE_S = 5.0
_AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


class Handover:
    """One session on its way to another agent. Every step may raise LeaseLost."""

    def __init__(self, room: rtc.Room, conversation: Conversation, lease: Lease) -> None:
        self._room = room
        self._conversation = conversation
        self._lease = lease
        self._replaced = asyncio.Event()
        self._before: set[str] = set()

    async def give_back(self, let_go: Callable[[], Awaitable[bool]]) -> bool:
        """Fall silent at a good moment and let another agent have the session; say whether it may.

        `let_go` stops whatever else writes under this agent's epoch, and says whether there still
        is a call to hand over.
        """
        # Before that nobody could take the session over: it may not even be admitted.
        await self._conversation.track.published.wait()
        await self._lease.claimed.wait()
        await self._end_of_sentence()
        # A user is not silenced for a session that cannot be given back now.
        await self._lease.confirm()
        logger.info("handing over")
        self._before = self._agents()
        self._room.on("participant_connected", self._on_participant)
        await self._conversation.hush()
        if not await let_go():
            return False
        await self._lease.release(REASON)
        return True

    async def until_replaced(self) -> None:
        """Wait for the other agent; whoever ends this process sets the deadline."""
        if self._agents() - self._before:
            return
        await self._replaced.wait()
        logger.info("another agent has come")

    async def _end_of_sentence(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SENTENCE_S):
                await self._conversation.quiet()

    def _agents(self) -> set[str]:
        others = self._room.remote_participants.values()
        return {one.identity for one in others if one.kind == _AGENT}

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if participant.kind == _AGENT:
            self._replaced.set()
