"""A user waits for a slot inside a room, and sees nothing but an empty room.

Scenario: somebody joined with LiveKit's standard token while every slot was taken. The client knows
nothing of our API; what it does see is the metadata of its room. So the place in line is written
there, and kept up to date:

    {"voicefleet": {"status": "queued", "position": 3, "etaSeconds": 20.0}}

and, once an agent is on its way, `{"voicefleet": {"status": "starting"}}`.
"""

from __future__ import annotations

import asyncio
import json
import logging

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.ids import SessionId, room_name
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

#: So many rooms are looked at in one pass: those first in line.
_ROOMS_PER_PASS = 200


class WaitingRooms:
    """Tells users in rooms where they are in line."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms
        #: What each room was told last by this process.
        self._told: dict[SessionId, str] = {}

    async def tell_once(self) -> int:
        """Tell every room what has changed for it; return how many were told."""
        try:
            page = await self._store.views.by_state(State.QUEUED, limit=_ROOMS_PER_PASS)
            in_rooms = [session for session in page.sessions if session.joined_at_ms is not None]
            places = await asyncio.gather(*map(self._place, in_rooms))
            news = {session.id: place for session, place in zip(in_rooms, places, strict=True)}
            for session_id in self._told.keys() - news.keys():
                news[session_id] = await self._after_line(session_id)
        except StoreUnavailable as error:
            logger.warning("redis is away; no room is told", extra={"reason": str(error)})
            return 0
        return sum(await asyncio.gather(*(self._tell(*item) for item in news.items())))

    async def _place(self, session: Session) -> str:
        try:
            place = await self._store.queue.touch(session.id)
        except SessionNotFound:
            return room_note(State.ENDED)
        eta_s = None if place.eta_ms is None else round(place.eta_ms / 1000, 1)
        if place.position is None:
            return room_note(place.status)
        return room_note(place.status, position=place.position, etaSeconds=eta_s)

    async def _after_line(self, session_id: SessionId) -> str:
        try:
            return room_note((await self._store.get(session_id)).status)
        except SessionNotFound:
            return room_note(State.ENDED)

    async def _tell(self, session_id: SessionId, note: str) -> bool:
        if self._told.get(session_id) == note:
            return False
        try:
            is_there = await self._rooms.set_metadata(room_name(session_id), note)
        except RoomsError as error:
            logger.warning(
                "could not tell a room", extra={"session_id": session_id, "reason": str(error)}
            )
            return False
        if is_there and json.loads(note)["voicefleet"]["status"] == State.QUEUED:
            self._told[session_id] = note
        else:
            self._told.pop(session_id, None)
        return is_there


def room_note(status: State, **more: object) -> str:
    """Return what the metadata of a room says."""
    return json.dumps({"voicefleet": {"status": status, **more}})
