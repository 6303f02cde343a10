"""What was said: for another agent to go on with, for the user to read, and to be remembered.

How long it is kept is a setting (`TRANSCRIPTS`); what a user wants to be remembered from one
session to the next is copied when the session is over, and bounded in turns and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sessions.codec import to_ids, to_reply
from sessions.engine import Engine
from sessions.ids import SessionId, UserId, user_digest
from sessions.scripts import translated_errors
from sessions.settings import Transcripts
from sessions.text import clean

_MAX_TURN_CHARS = 4000
#: One call erases so many sessions, so that nobody else waits for long.
_SESSIONS_PER_CALL = 25

Role = Literal["user", "assistant"]
#: A turn is stored with one letter for its role.
_ROLES: dict[str, Role] = {"u": "user", "a": "assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side said. `at_ms` is when it was written down, in ms since 1970."""

    role: Role
    text: str
    at_ms: int


class Conversations:
    """Turns of sessions and memories of users. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(
        self, session_id: SessionId, epoch: int, *, turn_id: str, role: Role, text: str
    ) -> bool:
        """Add a turn; False when it is not kept, or is the one that came last, told twice.

        Raises SessionNotFound, SessionOver, StaleEpoch, NotClaimed.
        """
        if self._engine.settings.transcripts is Transcripts.OFF:
            return False
        answer = await self._engine.run_for(
            "turn",
            session_id,
            epoch=epoch,
            turn=clean(turn_id, 64),
            role=role[0],
            text=clean(text, _MAX_TURN_CHARS),
        )
        return to_reply(answer).changed

    async def of(self, session_id: SessionId) -> list[Turn]:
        """Return the last 200 turns of a session, the oldest first."""
        keys = self._engine.keys
        pipeline = self._engine.redis.pipeline(transaction=False)
        pipeline.hget(keys.session(session_id), "createdAt")
        pipeline.lrange(keys.conversation(session_id), 0, -1)
        with translated_errors():
            created, rows = await pipeline.execute()
        return [_turn(row, int(created or 0)) for row in rows]

    async def memory(self, user_id: UserId) -> list[Turn]:
        """Return what a user wanted to be remembered, the oldest first."""
        with translated_errors():
            rows = await self._engine.redis.lrange(self._engine.keys.memory(user_id), 0, -1)
        return [_turn(str(row), 0) for row in rows]

    async def forget(self, user_id: UserId) -> list[SessionId]:
        """Erase everything of a user; what is left to do is to close the rooms of those returned.

        Live sessions end. Their records hold no name, words or logs, and go when the rooms are
        closed. For a while their ids are known to be over, so that no token begins them anew.
        """
        ending: list[SessionId] = []
        while True:
            answer = await self._engine.run(
                "forget", user=user_digest(user_id), limit=_SESSIONS_PER_CALL
            )
            ending += to_ids(answer, "ending")
            if not answer["left"]:
                return ending


def _turn(row: str, since_ms: int) -> Turn:
    """Read "time role text", the time counted from `since_ms`."""
    at, role, text = row.split(" ", 2)
    return Turn(at_ms=since_ms + int(at), role=_ROLES[role], text=text)
