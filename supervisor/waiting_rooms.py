"""A user waits for a slot inside a room, and sees nothing but an empty room.

Scenario: somebody joined with LiveKit's standard token while every slot was taken. The client knows
nothing of our API; what it does see is the metadata of its room. So the place in line is written
there as JSON, and kept up to date (docs/queue.md):

    {"voicefleet": {"status": "queued", "position": 3, "etaSeconds": 20}}

Scenario: that user leaves, and the webhook that tells of it is lost, or came before the session was
written down. A ticket that nobody has to ask for would stay in line for ever; so a place whose room
is gone for longer than a user may be away is given up here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionError, StoreUnavailable
from sessions.ids import SessionId, room_name
from sessions.model import Place
from sessions.states import HOLDING, State
from sessions.store import SessionStore
from supervisor.listing import sessions_in
from supervisor.loop import level_of

logger = logging.getLogger("supervisor")

#: One pass tells the first in line; those behind hear when they have come so far.
_MAX_WAITING = 1000
#: So many rooms are told at a time.
_AT_ONCE = 10
_TALKING = frozenset({State.READY, State.ACTIVE})


def _note(status: str, **more: object) -> str:
    return json.dumps({"voicefleet": {"status": status, **more}})


_STARTING, _ACTIVE = _note("starting"), _note("active")


class WaitingRooms:
    """Tells users in rooms where they are in line, and gives up the places of those who left.

    `patience_s` is how long a room may be gone; any number of processes may do this at a time.
    """

    def __init__(self, store: SessionStore, rooms: Rooms, *, patience_s: float = 20.0) -> None:
        self._store = store
        self._rooms = rooms
        self._patience_s = patience_s
        #: Whose rooms say something that is to change: who waits, or has just been admitted.
        self._followed: set[SessionId] = set()
        #: Since when rooms of waiting users are not there, by the monotonic clock.
        self._gone_since: dict[SessionId, float] = {}
        self._has_caught_up = False
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def tell_once(self) -> int:
        """Tell every room what has changed for it; return how many were told."""
        try:
            return await self._tell_all()
        except StoreUnavailable as error:
            logger.warning("redis is away; no room is told", extra={"reason": str(error)})
        except RoomsError as error:
            logger.log(
                level_of(error), "livekit is away; no room is told", extra={"reason": str(error)}
            )
        return 0

    async def _tell_all(self) -> int:
        queued = await sessions_in(self._store, State.QUEUED, at_most=_MAX_WAITING)
        waiting = [one.id for one in queued if one.joined_at_ms is not None]
        self._followed.update(waiting)
        await self._catch_up()
        moved = await self._store.views.sessions([*self._followed - set(waiting)])
        said = await self._rooms.metadata([room_name(one) for one in (*waiting, *moved)])
        notes = await self._notes(waiting, said)
        for session_id in self._followed - set(waiting):
            session = moved.get(session_id)
            if session is None or not session.is_live or session.room not in said:
                self._followed.discard(session_id)
            elif session.status in HOLDING:
                notes[session_id] = _ACTIVE if session.status in _TALKING else _STARTING
        # What a room says is asked, not remembered: others tell it too, and LiveKit may forget.
        news = [(one, note) for one, note in notes.items() if said[room_name(one)] != note]
        self._followed -= {one for one, note in notes.items() if said[room_name(one)] == _ACTIVE}
        return sum(await asyncio.gather(*(self._tell(*item) for item in news)))

    async def _catch_up(self) -> None:
        """Go on with what another process has begun: tell once more who was admitted meanwhile."""
        if self._has_caught_up:
            return
        # In the order in which a session goes on, the line before: none slips through in between.
        for state in (State.STARTING, State.READY, State.ACTIVE, State.RECOVERING):
            for session in await sessions_in(self._store, state, at_most=_MAX_WAITING):
                if (session.joined_at_ms or math.inf) < (session.admitted_at_ms or 0):
                    self._followed.add(session.id)
        self._has_caught_up = True

    async def _notes(
        self, waiting: list[SessionId], said: Mapping[str, str]
    ) -> dict[SessionId, str]:
        """Return what those who wait are to be told; give up places whose room is gone."""
        self._gone_since = {
            one: self._gone_since.get(one, time.monotonic())
            for one in waiting
            if room_name(one) not in said
        }
        await asyncio.gather(*map(self._give_up, [*self._gone_since]))
        there = [one for one in waiting if one not in self._gone_since]
        # Whoever asks may find a slot; and only so does a place have its number.
        places = await asyncio.gather(*map(self._place, there))
        return {
            session_id: _note(
                "queued",
                position=place.position,
                etaSeconds=None if place.eta_ms is None else math.ceil(place.eta_ms / 1000),
            )
            for session_id, place in zip(there, places, strict=True)
            if place is not None and place.position is not None
        }

    async def _place(self, session_id: SessionId) -> Place | None:
        try:
            return await self._store.queue.touch(session_id)
        except StoreUnavailable:
            raise
        except SessionError:
            return None

    async def _give_up(self, session_id: SessionId) -> None:
        if time.monotonic() - self._gone_since[session_id] < self._patience_s:
            return
        try:
            given_up = await self._store.mark_closed(session_id)
        except StoreUnavailable:
            raise
        except SessionError:
            return
        if given_up.changed:
            fields = {"session_id": session_id, "room": room_name(session_id)}
            logger.warning("a room is gone whose user waited", extra=fields)

    async def _tell(self, session_id: SessionId, note: str) -> bool:
        async with self._turns:
            try:
                return await self._rooms.set_metadata(room_name(session_id), note)
            except RoomsError as error:
                logger.log(
                    level_of(error),
                    "could not tell a room",
                    extra={
                        "session_id": session_id,
                        "room": room_name(session_id),
                        "reason": str(error),
                    },
                )
                return False
