"""A user is alone in a room that a standard token has opened, and there is no session.

Scenario: somebody joins with LiveKit's standard token, which carries the agent that is sent for.
LiveKit sends once and forgets: no worker was there, or the one that took the job died before it had
admitted the session. The store has never heard of this user, so nothing else can help. What the
agent was to be told is still with LiveKit; it is sent once more, in the order in which the rooms
were opened. An agent that comes twice is no harm: the second finds the session claimed, and leaves.

Scenario: no agent comes at all. The room is closed, so that the user sees the end.

Counter-scenario: the agent is on its way, or LiveKit was away. Who is not served is noted first,
and looked after when LiveKit has had the time to give the job to somebody.

Counter-scenario: another fleet is on the same LiveKit. Its rooms have names like ours, and no
session in our store; what was sent for into them has another AGENT_NAME. They are left alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rooms.client import Rooms, Sent
from rooms.errors import RoomsError
from sessions.assignment import Assignment
from sessions.errors import StoreUnavailable
from sessions.ids import session_of_room
from sessions.store import SessionStore
from supervisor.absent_workers import MARGIN_MS, taking_since_ms
from supervisor.loop import level_of
from telemetry.tracing import OFF, Traces

logger = logging.getLogger("supervisor")

#: LiveKit gives up an assignment after 3 s, and tells nobody.
_PATIENCE_S = 4.0
#: A worker that has taken the job brings the agent within this.
_TAKEN_PATIENCE_S = 10.0
#: So many rooms are looked at at a time.
_AT_ONCE = 10


@dataclass(slots=True, kw_only=True)
class _Wait:
    """Since when a room is not served, by our clock."""

    since: float
    #: When an agent was sent last; that is when the room was found, at first.
    sent_at: float
    #: Whether it was seen to be a room of another fleet.
    is_others: bool = False


class UnservedRooms:
    """Sends for agents that got lost before there was a session. One leader does this at a time."""

    def __init__(
        self,
        store: SessionStore,
        rooms: Rooms,
        *,
        clock: Callable[[], float] = time.monotonic,
        traces: Traces = OFF,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._clock = clock
        self._traces = traces
        self._waits: dict[str, _Wait] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def serve_once(self) -> int:
        """Look once; return for how many rooms something was done."""
        try:
            opened = await self._rooms.opened()
            unknown = await self._without_session(opened)
            self._note(unknown)
            since_ms = taking_since_ms(await self._store.fleet.workers()) if unknown else None
            # Who came first is served first.
            in_order = sorted(unknown.items(), key=lambda item: item[1])
            looks = [self._look(room, opened_ms, since_ms) for room, opened_ms in in_order]
            return sum(await asyncio.gather(*looks))
        except StoreUnavailable as error:
            logger.warning("redis is away; no room is served", extra={"reason": str(error)})
        except RoomsError as error:
            logger.log(
                level_of(error), "livekit is away; no room is served", extra={"reason": str(error)}
            )
        self._waits.clear()
        return 0

    async def _without_session(self, opened: Mapping[str, int]) -> dict[str, int]:
        """Return those of our rooms that belong to no session, and when they were opened."""
        ids = {one: room for room in opened if (one := session_of_room(room)) is not None}
        known = await self._store.views.sessions([*ids])
        return {room: opened[room] for one, room in ids.items() if one not in known}

    def _note(self, unknown: Mapping[str, int]) -> None:
        now = self._clock()
        self._waits = {
            room: self._waits.get(room) or _Wait(since=now, sent_at=now) for room in unknown
        }

    async def _look(self, room: str, opened_at_ms: int, since_ms: int | None) -> bool:
        """Do what is to be done for a room; say whether something was."""
        wait, now = self._waits[room], self._clock()
        is_late = now - wait.since > self._store.settings.start_lease_s
        if wait.is_others or not (is_late or self._is_due(wait, opened_at_ms, since_ms)):
            return False
        async with self._turns:
            try:
                serve = self._close if is_late else self._send_again
                return await serve(room, wait)
            except RoomsError as error:
                fields = {"room": room, "reason": str(error)}
                logger.log(level_of(error), "could not serve a room", extra=fields)
                return False

    def _is_due(self, wait: _Wait, opened_at_ms: int, since_ms: int | None) -> bool:
        """Say whether an agent is to be sent now; `since_ms`: since when somebody could come."""
        if since_ms is None:
            return False
        is_first = wait.sent_at == wait.since
        was_dropped = is_first and opened_at_ms < since_ms - MARGIN_MS
        return was_dropped or self._clock() - wait.sent_at >= _PATIENCE_S

    async def _sent(self, room: str, wait: _Wait) -> list[Sent]:
        """Return the agents of ours that were sent for; take note where there are only others."""
        sent = await self._rooms.sent(room)
        ours = [one for one in sent if one.is_ours]
        wait.is_others = bool(sent) and not ours
        return ours

    async def _send_again(self, room: str, wait: _Wait) -> bool:
        if await self._rooms.agents(room):
            return False  # it cannot reach the store, and goes on trying
        now, ours, is_taken = self._clock(), None, False
        for one in await self._sent(room, wait):
            assignment = Assignment.from_metadata(one.metadata)
            if assignment is not None and assignment.admit_on_start and assignment.room == room:
                ours, is_taken = assignment, is_taken or one.is_taken
        if ours is None or (is_taken and now - wait.sent_at < _TAKEN_PATIENCE_S):
            return False
        # The worker that the user had may be the one that is gone.
        anybody = ours.model_copy(update={"prefer": None}).to_metadata()
        with self._traces.dispatch(ours.session_id, ours.epoch, "unserved", is_first=False):
            await self._rooms.send_agent(room, anybody)
        wait.sent_at = now
        logger.warning("sent an agent once more", extra=ours.log_fields)
        return True

    async def _close(self, room: str, wait: _Wait) -> bool:
        await self._sent(room, wait)
        if wait.is_others or not await self._rooms.close(room):
            return False
        logger.error("closed a room for which no agent came", extra={"room": room})
        return True
