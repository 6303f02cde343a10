"""An agent is gone, or none ever came.

Scenario: the agent's process is killed, its machine is lost, or the dispatch found no worker. Its
lease in the store lapses, since only a live agent renews it. The session is failed, which frees
its slot, and the room is closed, so that the user sees the end instead of waiting in silence.

Counter-scenario: Redis was away. Then no agent could renew, and every lease has lapsed although
every agent is well. So after an outage nobody is judged until a full lease has passed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from rooms.client import Rooms
from rooms.errors import LiveKitUnavailable
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.ids import SessionId, room_name
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

_NO_AGENT = "No agent came in time. Please try again."
_AGENT_LOST = "The agent stopped answering. Please start again."


class LeaseSweeper:
    """Fails sessions whose lease has lapsed.

    ``mercy_s`` is how long after an outage of Redis nobody is judged: one lease or more.
    """

    def __init__(
        self,
        store: SessionStore,
        rooms: Rooms,
        *,
        mercy_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._mercy_s = mercy_s
        self._clock = clock
        # A server that has just started cannot know whether Redis was there a moment ago.
        self._judge_from_s = clock() + mercy_s
        #: Rooms of failed sessions; one that could not be closed is tried again at the next pass.
        self._rooms_to_close: set[SessionId] = set()

    async def sweep_once(self) -> int:
        """Fail every lapsed session and return how many there were."""
        failed = 0
        try:
            lapsed = await self._store.lapsed()
            if self._clock() >= self._judge_from_s:
                failed = sum([await self._fail(session_id) for session_id in lapsed])
        except StoreUnavailable:
            self._judge_from_s = self._clock() + self._mercy_s
            logger.warning("redis is away; no lease is judged until a full one has passed")
        await asyncio.gather(*map(self._close_room, list(self._rooms_to_close)))
        return failed

    async def _fail(self, session_id: SessionId) -> bool:
        try:
            session = await self._store.get(session_id)
            error = _NO_AGENT if session.claimed_at_ms is None else _AGENT_LOST
            outcome = await self._store.fail(session_id, error, only_if_lapsed=True)
        except SessionNotFound:
            # Its record expired; take the remains of it out of the index.
            await self._forget(session_id)
            return False
        if outcome.status is not State.FAILED:
            return False
        logger.warning("a lease lapsed", extra={"session_id": session_id, "reason": error})
        self._rooms_to_close.add(session_id)
        return outcome.changed

    async def _forget(self, session_id: SessionId) -> None:
        try:
            await self._store.end(session_id)
        except SessionNotFound:
            logger.info("forgot a session without a record", extra={"session_id": session_id})

    async def _close_room(self, session_id: SessionId) -> None:
        try:
            await self._rooms.close(room_name(session_id))
        except LiveKitUnavailable as error:
            logger.warning(
                "could not close a room yet", extra={"session_id": session_id, "reason": str(error)}
            )
            return
        self._rooms_to_close.discard(session_id)
