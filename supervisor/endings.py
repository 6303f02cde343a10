"""A session is over, and its room is not closed yet.

Scenario: LiveKit was away when a session ended, or whoever was to close its room died. The session
stays `ending` in the store, and its room is closed here.
"""

from __future__ import annotations

import asyncio
import logging

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from supervisor.loop import level_of

logger = logging.getLogger("supervisor")

#: One pass closes so many rooms; the next one goes on.
_ROOMS_PER_PASS = 50


class RoomCloser:
    """Closes the rooms of sessions that are over. Any number may do this at the same time."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms

    async def close_once(self) -> int:
        """Close what is to be closed; return how many rooms were."""
        try:
            page = await self._store.views.by_state(State.ENDING, limit=_ROOMS_PER_PASS)
            return sum(await asyncio.gather(*map(self._close_room, page.sessions)))
        except StoreUnavailable as error:
            logger.warning("redis is away; no room is closed", extra={"reason": str(error)})
            return 0

    async def _close_room(self, session: Session) -> bool:
        try:
            # A room of somebody else's stays: only the agent leaves it.
            if session.foreign_room is None:
                await self._rooms.close(session.room)
            await self._store.mark_closed(session.id)
        except RoomsError as error:
            logger.log(
                level_of(error),
                "could not close a room yet",
                extra={**session.log_fields, "reason": str(error)},
            )
            return False
        except SessionNotFound:
            return False  # its record expired meanwhile
        return True
