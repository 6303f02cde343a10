"""What LiveKit has and what the store says have drifted apart.

Scenario: a webhook is lost, or LiveKit was restarted and has forgotten a room. The session goes on
in the store, holds its slot, and its user can start no other; nobody will ever tell of its end. A
session whose room is gone for longer than a user may be away is ended here.

Scenario: a token outlives its session and opens its room again, while no token server is there to
take the webhook. Somebody sits in a room to which no agent comes. A room of ours whose session is
over is closed here.

Counter-scenario: LiveKit is away, or has just been started and its clients are on their way back.
Who is not seen meanwhile is not judged: the time counts from the first look that found it.

A room of ours without any session was opened with a standard token, and gets its session from its
agent (unserved_rooms.py). Rooms of others are none of our business.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionError, StoreUnavailable
from sessions.ids import SessionId, session_of_room
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from supervisor.listing import sessions_in
from supervisor.loop import level_of

logger = logging.getLogger("supervisor")

_GONE = "room_gone"
#: States of sessions whose room has been there.
_IN_A_ROOM = (State.READY, State.ACTIVE, State.RECOVERING)
#: So many rooms are closed, and sessions ended, at a time.
_AT_ONCE = 10


class Reconciler:
    """Compares rooms with sessions, both ways. Any number of them may run at the same time.

    `patience_s` is how long a room may be gone.
    """

    def __init__(
        self,
        store: SessionStore,
        rooms: Rooms,
        *,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._patience_s = patience_s
        self._clock = clock
        #: Since when the rooms of sessions are not there.
        self._gone_since: dict[SessionId, float] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def reconcile_once(self) -> int:
        """Compare once; return how many rooms were closed and sessions ended."""
        try:
            # Rooms last: one that is made meanwhile is there for a session that was seen.
            sessions = [
                one for state in _IN_A_ROOM for one in await sessions_in(self._store, state)
            ]
            rooms = await self._rooms.opened()
            closing = self._close_rooms(rooms)
            ending = self._end_sessions(sessions, rooms)
            return sum(await asyncio.gather(closing, ending))
        except StoreUnavailable as error:
            logger.warning("redis is away; nothing is compared", extra={"reason": str(error)})
        except RoomsError as error:
            logger.log(
                level_of(error),
                "livekit is away; nothing is compared",
                extra={"reason": str(error)},
            )
        self._gone_since.clear()
        return 0

    async def _close_rooms(self, rooms: Collection[str]) -> int:
        """Close those whose session is over."""
        ours = [one for one in map(session_of_room, rooms) if one is not None]
        known = await self._store.views.sessions(ours)
        over = [one for one in known.values() if one.is_over and one.foreign_room is None]
        return sum(await asyncio.gather(*map(self._close, over)))

    async def _close(self, session: Session) -> bool:
        async with self._turns:
            try:
                is_closed = await self._rooms.close(session.room)
            except RoomsError as error:
                extra = {**session.log_fields, "reason": str(error)}
                logger.log(level_of(error), "could not close a room yet", extra=extra)
                return False
        if is_closed:
            logger.warning("closed a room whose session is over", extra=session.log_fields)
        return is_closed

    async def _end_sessions(self, sessions: list[Session], rooms: Collection[str]) -> int:
        """End those whose room is gone for too long."""
        now = self._clock()
        gone = [one for one in sessions if one.room not in rooms]
        self._gone_since = {one.id: self._gone_since.get(one.id, now) for one in gone}
        lost = [one for one in gone if now - self._gone_since[one.id] >= self._patience_s]
        # Each is seen to be gone twice at least, however short the patience.
        lost = [one for one in lost if self._gone_since[one.id] < now]
        return sum(await asyncio.gather(*map(self._end, lost)))

    async def _end(self, session: Session) -> bool:
        async with self._turns:
            try:
                ended = await self._store.end(session.id, reason=_GONE)
            except StoreUnavailable:
                raise
            except SessionError:
                return False  # it has ended meanwhile
        if ended.changed:
            logger.warning("the room of a session is gone", extra=session.log_fields)
        return ended.changed
