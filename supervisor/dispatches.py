"""A session has its slot, and no agent was sent for it yet, or none came.

Scenario: a session ends somewhere, in a token server, in a worker, by a lease that lapses. The slot
goes to the first in line in the same step; whoever took that step may know nothing of rooms, or
die. Here every token server looks for sessions that need an agent, and one of them sends it.

Scenario: an agent was sent and did not claim the session in time: LiveKit dispatches once and
forgets, so it is written off, and another is sent, a few times at most.

Scenario: LiveKit is away. While its circuit breaker is open nobody is sent, and nobody is written
off for that: whoever waits is served once it is back, or failed when the first lease has lapsed.
"""

from __future__ import annotations

import asyncio
import logging

from rooms.breaker import BreakerState
from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.assignment import Assignment
from sessions.errors import SessionError, StoreUnavailable
from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.waiting_rooms import room_note

logger = logging.getLogger("supervisor")

_NO_AGENT = "No agent came in time. Please try again."
_NO_ROOM = "The media server did not open a room. Please try again."
_ON_ITS_WAY = room_note(State.STARTING)
#: So many are sent at a time.
_AT_ONCE = 10
#: After LiveKit failed, the next try waits so long.
_RETRY_S = 1.0
#: How long a pass waits for news before it looks by itself.
_PATIENCE_S = 1.0


class Dispatcher:
    """Sends agents to sessions that need one."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self, feed: ChangeFeed) -> None:
        """Send what is due, as soon as there is news and at least every second, until cancelled."""
        while True:
            try:
                await self.dispatch_due_once()
            except StoreUnavailable as error:
                logger.warning("redis is away; nobody is sent", extra={"reason": str(error)})
            except Exception:
                logger.exception("a pass of the dispatcher failed")
            await feed.admissions.wait(_PATIENCE_S)

    async def dispatch_due_once(self) -> int:
        """Send an agent to each session that needs one; return how many were sent."""
        due = await self._store.queue.due()
        return sum(await asyncio.gather(*(self._send_one(session_id) for session_id in due)))

    async def _send_one(self, session_id: SessionId) -> bool:
        async with self._turns:
            try:
                return await self._send(session_id)
            except StoreUnavailable:
                raise
            except SessionError as error:
                # It ended meanwhile, or another server was quicker.
                logger.info(
                    "no agent is needed", extra={"session_id": session_id, "code": error.code}
                )
                return False

    async def _send(self, session_id: SessionId) -> bool:
        if self._rooms.breaker.state is not BreakerState.CLOSED:
            return False
        session = await self._store.get(session_id)
        if session.dispatched_at_ms is not None:
            loss = await self._store.lose(session_id, _NO_AGENT, epoch=session.epoch)
            if loss.changed:
                logger.warning(
                    "no agent came",
                    extra={"session_id": session_id, "losses": loss.losses, "status": loss.status},
                )
            return False  # due again at once, under the next epoch
        duty = await self._store.dispatch(session_id)
        if not duty.changed:
            return False
        try:
            await self._invite(session, duty.epoch)
        except RoomsError as error:
            logger.warning(
                "could not send an agent", extra={"session_id": session_id, "reason": str(error)}
            )
            await self._store.lose(
                session_id, _NO_ROOM, epoch=duty.epoch, is_certain=True, delay_s=_RETRY_S
            )
            return False
        logger.info("agent sent", extra={"session_id": session_id, "epoch": duty.epoch})
        return True

    async def _invite(self, session: Session, epoch: int) -> None:
        """Send an agent into the room; open one where there is none yet."""
        metadata = Assignment(
            session_id=session.id, user_id=session.user_id, identity=session.identity, epoch=epoch
        ).to_metadata()
        # An agent that is named when a room is opened counts for a new room only, and one that is
        # sent into a room that is not there would open one without our limits.
        may_be_there = session.joined_at_ms is not None or epoch > 1
        if may_be_there and await self._rooms.set_metadata(session.room, _ON_ITS_WAY):
            await self._rooms.send_agent(session.room, metadata)
        else:
            await self._rooms.open(session.room, metadata)
