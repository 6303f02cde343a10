"""An agent is gone, or none ever came.

Scenario: the agent's process hangs or is stopped, its machine is lost or cut off from Redis. The
lease in the store lapses, since only a live agent renews it. The agent is written off, and the
session is due for another one, which dispatches.py sends; after too many it fails. Should the first
one wake up, its next heartbeat tells it that it has been replaced.

Scenario: no agent came at all, and none could be sent in time. The session is failed, which frees
its slot, and the room is closed, so that the user sees the end instead of waiting in silence.

Counter-scenario: Redis was away. Then no agent could renew, and every lease has lapsed although
every agent is well. The store itself knows that nobody could write, and judges no lease by that
time until a full one has passed (sessions/lua/include/store.lua).

Scenario: LiveKit was away when a session ended, or whoever was to close its room died. The session
stays `ending` in the store, and its room is closed here.
"""

from __future__ import annotations

import asyncio
import logging

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionError, SessionNotFound, StoreUnavailable
from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

_NO_AGENT = "No agent came in time. Please try again."
_AGENT_LOST = "The agent was lost, and so were those sent in its place. Please start again."
#: One pass closes so many rooms; the next one goes on.
_ROOMS_PER_PASS = 50


class LeaseSweeper:
    """Writes off agents whose lease has lapsed, and closes the rooms of sessions that are over."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms

    async def sweep_once(self) -> int:
        """Judge every session whose lease has lapsed, and return how many there were.

        A lease that is seen to have lapsed is only noted; a later pass judges.
        """
        try:
            suspects = await self._store.suspects()
            judged = sum([await self._judge(session_id) for session_id in suspects])
            # Also prunes the lists of what is over.
            await self._store.queue.advance()
            page = await self._store.views.by_state(State.ENDING, limit=_ROOMS_PER_PASS)
            await asyncio.gather(*map(self._close_room, page.sessions))
        except StoreUnavailable as error:
            logger.warning("redis is away; nothing is judged", extra={"reason": str(error)})
            return 0
        return judged

    async def _judge(self, session_id: SessionId) -> bool:
        try:
            session = await self._store.get(session_id)
            if session.claimed_at_ms is None:
                outcome = await self._store.fail(session_id, _NO_AGENT, only_if_lapsed=True)
                is_judged, status = outcome.changed, State.FAILED
            else:
                loss = await self._store.lose(session_id, _AGENT_LOST)
                is_judged, status = loss.changed, loss.status
        except StoreUnavailable:
            raise
        except SessionError:
            return False  # it has ended, or was forgotten, meanwhile
        if is_judged:
            logger.warning(
                "a lease lapsed",
                extra={"session_id": session_id, "epoch": session.epoch, "status": status},
            )
        return is_judged

    async def _close_room(self, session: Session) -> None:
        try:
            # A room of somebody else's stays: only the agent leaves it.
            if session.foreign_room is None:
                await self._rooms.close(session.room)
            await self._store.mark_closed(session.id)
        except RoomsError as error:
            logger.warning(
                "could not close a room yet", extra={"session_id": session.id, "reason": str(error)}
            )
        except SessionNotFound:
            return  # its record expired meanwhile
