"""The log of one session: what this process logs on its behalf, written to the store.

Bound to the session by a context variable, which tasks inherit from the one that started them, and
by the field that the framework puts on records outside of such tasks. Lines are collected without
waiting for anything, and written about once a second; of too many at a time the last ones are kept.
What a line says is its message, and of its fields only those that hold no words of a user.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass

from sessions.assignment import Assignment
from sessions.errors import (
    InvalidInput,
    SessionError,
    SessionNotFound,
    StoreUnavailable,
    WrongSchema,
)
from sessions.ids import SessionId
from sessions.journal import LogLine
from sessions.store import SessionStore
from telemetry.redaction import hide, redact_fields, redact_text

logger = logging.getLogger(__name__)

#: As many as the store keeps.
_MOST_WAITING = 200
_PACE_S = 1.0
_RETRY_S = 0.2
_NAMELESS = logging.getLogger().name
#: Fields of text that are shown. Others may quote what was said.
_SHOWN = frozenset(
    {
        "answer",
        "code",
        "error",
        "error_type",
        "kind",
        "outcome",
        "reason",
        "stage",
        "status",
        "what",
    }
)
#: What every line of a session has, and its reader knows.
_HIDDEN_NUMBERS = frozenset({"epoch", "pid"})
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: For which session the code that runs just now runs.
_session: ContextVar[SessionId | None] = ContextVar("session", default=None)
#: True in the task that writes: what is logged there would be written again, for ever.
_is_writing: ContextVar[bool] = ContextVar("is_writing", default=False)


@dataclass(frozen=True, slots=True)
class _Line:
    level: str
    text: str
    said_at_s: float


class SessionLog(logging.Handler):
    """Collects the lines of one session, from INFO on, and writes them."""

    def __init__(
        self, store: SessionStore, assignment: Assignment, secrets: Iterable[str] = ()
    ) -> None:
        super().__init__(logging.INFO)
        self._store = store
        self._assignment = assignment
        #: Keys that a provider might repeat in its errors.
        self._secrets = list(secrets)
        self._lines: deque[_Line] = deque(maxlen=_MOST_WAITING)
        self._is_refused = False
        self._is_over = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Let this task, and those that it starts, log on behalf of the session."""
        _session.set(self._assignment.session_id)

    def begin(self) -> None:
        """Collect and write from now on."""
        logging.getLogger().addHandler(self)
        self._writing = asyncio.create_task(self._write())

    async def finish(self, deadline_s: float) -> None:
        """Write what is left, if that can be done in time, and collect no more."""
        logging.getLogger().removeHandler(self)
        self._is_over.set()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=deadline_s)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, if it is one of this session's."""
        if _is_writing.get() or self._is_refused or not self._is_ours(record):
            return
        if record.name == _NAMELESS:
            # The WebRTC library quotes there what participants have sent.
            return
        try:
            text = self._text(record)
        except Exception:  # noqa: BLE001 - a line that cannot be told must not harm the call
            text = "a line that cannot be shown"
        self._lines.append(_Line(record.levelname, text, time.monotonic()))

    def _is_ours(self, record: logging.LogRecord) -> bool:
        bound = _session.get()
        if bound is None:
            return getattr(record, "session_id", None) == self._assignment.session_id
        return bound == self._assignment.session_id

    def _text(self, record: logging.LogRecord) -> str:
        shown = {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD_FIELDS and _is_shown(name, value)
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The kind only: its text may quote what a user has said.
            shown["exception"] = record.exc_info[0].__name__
        fields = "".join(f" {name}={value}" for name, value in redact_fields(shown).items())
        text = redact_text(" ".join(record.getMessage().split()) + fields)
        return hide(text, self._secrets)

    async def _write(self) -> None:
        _is_writing.set(True)
        while not self._is_refused:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PACE_S):
                    await self._is_over.wait()
            is_written = await self._put()
            if self._is_over.is_set():
                if is_written:
                    return
                await asyncio.sleep(_RETRY_S)

    async def _put(self) -> bool:
        """Write what there is; False when Redis does not take it now."""
        if not self._lines:
            return True
        batch, now_s = list(self._lines), time.monotonic()
        lines = [
            LogLine(level=one.level, text=one.text, age_ms=round((now_s - one.said_at_s) * 1000))
            for one in batch
        ]
        try:
            await self._store.journal.log(
                self._assignment.session_id, lines, epoch=self._assignment.epoch
            )
        except (StoreUnavailable, WrongSchema, SessionNotFound):
            return False
        except InvalidInput:
            pass
        except SessionError:
            # Another agent has the session, or its user was forgotten.
            self._is_refused = True
            return False
        except Exception:
            # They are lost; what follows need not be. This one is not written: `_is_writing`.
            logger.exception("lines of a session's log cannot be written")
        # Some may have been given up meanwhile for newer ones.
        written = {id(one) for one in batch}
        while self._lines and id(self._lines[0]) in written:
            self._lines.popleft()
        return True


def _is_shown(name: str, value: object) -> bool:
    if isinstance(value, bool | int | float):
        return name not in _HIDDEN_NUMBERS
    return name in _SHOWN and isinstance(value, str)
