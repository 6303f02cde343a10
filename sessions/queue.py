"""Users who wait for a slot: first come, first served.

A ticket is good as long as its user asks for it; a user who is in the room already (LiveKit's
standard token) holds the place by being there.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions.codec import to_ids, to_place, to_reply
from sessions.engine import Engine
from sessions.ids import SessionId
from sessions.model import Place, Reply
from sessions.scripts import translated_errors

#: One pass drops so many lapsed tickets; the next one goes on.
_TICKETS_PER_PASS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one pass over the queue did."""

    #: They have a slot now; each needs an agent at once.
    admitted: tuple[SessionId, ...]
    #: Their users did not ask any more.
    expired: tuple[SessionId, ...]


class Queue:
    """The line. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def touch(self, session_id: SessionId) -> Place:
        """Keep a place in line for `ticket_ttl_s` more, and tell where it is.

        Raises SessionNotFound.
        """
        return to_place(await self._engine.run_for("touch", session_id))

    async def cancel(self, session_id: SessionId) -> Reply:
        """Leave the line, or end the session if it got its slot meanwhile.

        Raises SessionNotFound.
        """
        return to_reply(await self._engine.run_for("finish", session_id, outcome="ended"))

    async def advance(self) -> Progress:
        """Drop lapsed tickets and fill slots that came free by themselves; for a loop."""
        answer = await self._engine.run("advance", limit=_TICKETS_PER_PASS)
        return Progress(admitted=to_ids(answer, "admitted"), expired=to_ids(answer, "expired"))

    async def sent(self, limit: int = 100) -> list[SessionId]:
        """Return sessions whose agent was sent and may still come, those that wait longest first.

        Those that are sent one at this very moment may be among them.
        """
        now_ms = await self._engine.now()
        return await self._dispatched(f"({now_ms}", "+inf", limit)

    async def due(self, limit: int = 100) -> list[SessionId]:
        """Return sessions that need an agent now, the longest overdue first.

        Take each over with `SessionStore.dispatch`. One with `dispatched_at_ms` has been sent an
        agent that did not come: `SessionStore.lose` it first.
        """
        now_ms = await self._engine.now()
        return await self._dispatched("-inf", str(now_ms), limit)

    async def _dispatched(self, first: str, last: str, limit: int) -> list[SessionId]:
        """Return sessions that wait for an agent, by when the next one is due."""
        with translated_errors():
            ids = await self._engine.redis.zrange(
                self._engine.keys.dispatches, first, last, byscore=True, offset=0, num=limit
            )
        return [SessionId(str(text)) for text in ids]
