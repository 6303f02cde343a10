"""Two agents are in one room.

Scenario: an agent hung, or was cut off from Redis, or LiveKit was slow to let it in. It was written
off and another one has the session; the first is in the room still, and talks across it. Or it was
killed, and LiveKit keeps its participant until its connection times out. Whoever is in the room
and is not the agent that has the session is put out of it, until nobody else has been there for a
while.

Counter-scenario: the agent that is in the room is the next one, which has not claimed the session
yet. While nobody has it, only who is known to have been lost is put out.

In a room of somebody else's there may be agents of theirs; only ours that were lost leave it.
"""

from __future__ import annotations

import asyncio
import logging

from rooms.client import Rooms, agent_identity
from rooms.errors import RoomsError
from sessions.errors import SessionError, SessionNotFound, StoreUnavailable
from sessions.ghosts import Haunt
from sessions.model import Session
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

#: Who is not there so long after the next agent has come does not come any more.
_CALM_MS = 10_000
#: So many rooms are looked at at a time.
_AT_ONCE = 10


class Ghosts:
    """Puts out agents that have been replaced. Any number may do this at the same time."""

    def __init__(self, store: SessionStore, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def lay_once(self) -> int:
        """Look at each room whose agent was replaced; return how many agents were put out."""
        try:
            haunts = await self._store.ghosts.haunts()
            if not haunts:
                return 0
            now_ms = await self._store.now()
            return sum(await asyncio.gather(*(self._look(one, now_ms) for one in haunts)))
        except StoreUnavailable as error:
            logger.warning("redis is away; no room is looked at", extra={"reason": str(error)})
            return 0

    async def _look(self, haunt: Haunt, now_ms: int) -> int:
        async with self._turns:
            try:
                session = await self._store.get(haunt.session_id)
                others = await self._others(session)
                if others and await self._has_changed(session):
                    return 0  # one of them may be the next agent
                gone = [await self._remove(session, one) for one in others]
                if not others and _is_calm(session, now_ms):
                    await self._store.ghosts.forget(haunt)
            except SessionNotFound:
                await self._store.ghosts.forget(haunt)
            except StoreUnavailable:
                raise
            except (SessionError, RoomsError) as error:
                fields = {"session_id": haunt.session_id, "reason": str(error)}
                logger.info("a room is not looked at", extra=fields)
            else:
                return sum(gone)
        return 0

    async def _others(self, session: Session) -> list[str]:
        """Return the agents in the room that must not be there."""
        there = await self._rooms.agents(session.room)
        if session.job_id is None or session.foreign_room is not None:
            lost = session.ghost_job_id
            return [one for one in there if lost is not None and one == agent_identity(lost)]
        return [one for one in there if one != agent_identity(session.job_id)]

    async def _has_changed(self, session: Session) -> bool:
        now = await self._store.get(session.id)
        return (now.epoch, now.job_id) != (session.epoch, session.job_id)

    async def _remove(self, session: Session, identity: str) -> bool:
        is_removed = await self._rooms.remove(session.room, identity)
        if is_removed:
            fields = {**session.log_fields, "participant": identity}
            logger.warning("put out an agent that was replaced", extra=fields)
        return is_removed


def _is_calm(session: Session, now_ms: int) -> bool:
    return session.claimed_at_ms is not None and now_ms - session.claimed_at_ms > _CALM_MS
