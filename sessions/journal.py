"""What happened: the log lines of each session, and the changes that others can follow."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sessions.codec import to_reply
from sessions.engine import Engine
from sessions.errors import SessionNotFound
from sessions.ids import SessionId
from sessions.model import Reply
from sessions.scripts import translated_errors
from sessions.states import State
from sessions.text import clean

_MAX_LINE_CHARS = 500
_MAX_DETAIL_CHARS = 200
#: As many as a log keeps.
_LINES_PER_CALL = 200
#: The client library gives up on a socket that is silent for longer.
_MAX_BLOCK_MS = 400
#: LiveKit retries a webhook for 15 s; its signature is valid for 5 minutes.
_WEBHOOK_MEMORY_S = 600
_EVENT = "e:"
#: A line is stored with one letter for its level.
_LEVELS = {"d": "debug", "i": "info", "w": "warning", "e": "error", "c": "critical"}
_LETTERS = {level: letter for letter, level in _LEVELS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line to be written, and how long ago it was said, in ms by any clock that runs evenly.

    The level is one of logging's names; another counts as info.
    """

    level: str
    text: str
    age_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line that was written; `at_ms` in ms since 1970, by Redis's clock."""

    at_ms: int
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one session. Revisions count from 1 and leave none out."""

    revision: int
    at_ms: int
    status: State
    epoch: int
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Some session changed. `cursor` is where to go on from."""

    cursor: str
    session_id: SessionId
    revision: int
    status: State

    @property
    def at_ms(self) -> int:
        """When it was, in ms since 1970 by Redis's clock."""
        return int(self.cursor.partition("-")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What is left of the changes that can be followed."""

    #: Cursor of the oldest one; None while there is none.
    first: str | None
    #: How many there were before it, and with what is left, since the stream is there; None where
    #: Redis does not count.
    dropped: int | None
    added: int | None


class Journal:
    """Logs and events. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def is_event_applied(self, event_id: str) -> bool:
        """Say whether a webhook event was applied before: LiveKit may deliver it again."""
        with translated_errors():
            name = self._engine.keys.event_applied(event_id)
            return bool(await self._engine.redis.exists(name))

    async def mark_event_applied(self, event_id: str) -> None:
        """Remember that a webhook event has been applied."""
        with translated_errors():
            name = self._engine.keys.event_applied(event_id)
            await self._engine.redis.set(name, 1, ex=_WEBHOOK_MEMORY_S)

    async def log(
        self, session_id: SessionId, lines: Sequence[LogLine], *, epoch: int | None = None
    ) -> Reply:
        """Add lines to a session's log, which keeps the last 200; an agent passes its epoch.

        Raises SessionNotFound, StaleEpoch, SessionOver when its user has been forgotten.
        """
        answer = await self._engine.run_for(
            "log",
            session_id,
            epoch=epoch,
            batch=secrets.token_hex(4),
            lines=[
                [
                    max(0, int(line.age_ms)),
                    _LETTERS.get(line.level.lower(), "i"),
                    clean(line.text, _MAX_LINE_CHARS),
                ]
                for line in lines[-_LINES_PER_CALL:]
            ],
        )
        return to_reply(answer)

    async def logs(self, session_id: SessionId, last: int = 200) -> list[LogEntry]:
        """Return the last lines of a session's log, the oldest first."""
        last = max(1, last)
        pipeline = self._engine.redis.pipeline(transaction=False)
        pipeline.hget(self._engine.keys.session(session_id), "createdAt")
        pipeline.lrange(self._engine.keys.logs(session_id), -last, -1)
        with translated_errors():
            created, rows = await pipeline.execute()
        return [_entry(row, int(created or 0)) for row in rows]

    async def publish(
        self, session_id: SessionId, detail: str, *, epoch: int | None = None
    ) -> Reply:
        """Tell followers of a live session something that does not change its status.

        Raises SessionNotFound, SessionOver, StaleEpoch.
        """
        answer = await self._engine.run_for(
            "publish", session_id, epoch=epoch, detail=clean(detail, _MAX_DETAIL_CHARS)
        )
        return to_reply(answer)

    async def events(self, session_id: SessionId, after: int = 0) -> list[Event]:
        """Return what happened to a session after a revision, the last 64 changes at most.

        Raises SessionNotFound.
        """
        with translated_errors():
            fields = await self._engine.redis.hgetall(self._engine.keys.session(session_id))
        if not fields:
            raise SessionNotFound(session_id)
        found = [
            _event(int(str(name).removeprefix(_EVENT)), str(value))
            for name, value in fields.items()
            if str(name).startswith(_EVENT)
        ]
        return sorted(
            (event for event in found if event.revision > after), key=lambda event: event.revision
        )

    async def cursor(self) -> str:
        """Return where the changes of all sessions are now, to follow them from here on."""
        with translated_errors():
            newest = await self._engine.redis.xrevrange(self._engine.keys.events, count=1)
        return str(newest[0][0]) if newest else "0-0"

    async def extent(self) -> Extent:
        """Return what is left of the changes of all sessions."""
        with translated_errors():
            if not await self._engine.redis.exists(self._engine.keys.events):
                return Extent(first=None, dropped=0, added=0)
            told: Any = await self._engine.redis.xinfo_stream(self._engine.keys.events)
        # Redis 6 does not count what was ever added.
        added = told.get("entries-added")
        first, length = told["first-entry"], int(told["length"])
        return Extent(
            first=None if first is None else str(first[0]),
            dropped=None if added is None else int(added) - length,
            added=None if added is None else int(added),
        )

    async def follow(self, cursor: str, *, block_ms: int = _MAX_BLOCK_MS) -> list[Change]:
        """Return the changes of all sessions after a cursor; wait for one for a moment at most.

        For one loop in each process, which hands them on: a change says which session to read.
        """
        with translated_errors():
            found: Any = await self._engine.redis.xread(
                {self._engine.keys.events: cursor},
                count=500,
                block=max(1, min(block_ms, _MAX_BLOCK_MS)),
            )
        return [_change(entry, fields) for _, entries in found or () for entry, fields in entries]


def _entry(row: str, since_ms: int) -> LogEntry:
    """Read "ms since then, level, text"."""
    at, level, text = row.split(" ", 2)
    return LogEntry(at_ms=since_ms + int(at), level=_LEVELS.get(level, level), text=text)


def _event(revision: int, row: str) -> Event:
    """Read "status time epoch detail", the last of which may be missing."""
    status, at_ms, epoch, *detail = row.split(" ", 3)
    return Event(
        revision=revision,
        at_ms=int(at_ms),
        status=State(status),
        epoch=int(epoch),
        detail=detail[0] if detail else None,
    )


def _change(cursor: str, fields: dict[str, str]) -> Change:
    return Change(
        cursor=cursor,
        session_id=SessionId(fields["session"]),
        revision=int(fields["revision"]),
        status=State(fields["status"]),
    )
