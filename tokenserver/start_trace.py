"""The trace of a start: its root, who was admitted, and the dispatch of the first agent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sessions.ids import SessionId
from sessions.model import Admission, Outcome
from telemetry.tracing import (
    Span,
    Step,
    Traces,
    Value,
    dispatch_span,
    error_code,
    parse_traceparent,
    root_span,
)
from tokenserver.http.call import Call


class StartTrace:
    """One request for a session. Of which one it is known once the store has answered.

    A trace that the caller names is linked, and not joined: it is a stranger's word, who could
    put the spans of all users into one trace, and ours has to follow from the session's id.
    """

    def __init__(self, call: Call, newcomer: SessionId) -> None:
        self._traces = call.state["traces"]
        self._link = caller_span(call)
        self._session_id = newcomer
        self._admission: Admission | None = None
        self._admitted_ns = 0
        self._began_ns = time.time_ns()

    def note(self, admission: Admission) -> None:
        """Note which session it came to."""
        self._admission, self._session_id = admission, admission.session_id
        self._admitted_ns = time.time_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._traces.is_on:
            return
        admission, root = self._admission, root_span(self._session_id)
        # A start that is repeated comes to a session whose trace has its root.
        is_first = admission is None or admission.outcome is Outcome.NEW
        attributes: dict[str, Value] = {}
        if admission is not None:
            attributes = {"outcome": admission.outcome, "epoch": admission.epoch}
            self._traces.take(
                Span(
                    session_id=self._session_id,
                    step=Step.ADMIT,
                    began_ns=self._began_ns,
                    ended_ns=self._admitted_ns,
                    parent=root,
                )
            )
        self._traces.take(
            Span(
                session_id=self._session_id,
                step=Step.START,
                began_ns=self._began_ns,
                ended_ns=time.time_ns(),
                parent=None if is_first else root,
                id=root if is_first else None,
                attributes=attributes,
                error=None if error is None else error_code(error),
                link=self._link,
            )
        )


@contextmanager
def dispatch_traced(
    traces: Traces, session_id: SessionId, epoch: int, *, is_ours: bool
) -> Iterator[None]:
    """Make spans of an agent's dispatch, and of opening its room, which is one call of LiveKit."""
    # Whoever repeats a start may open the room again, which changes nothing.
    reason = "admitted" if is_ours else "repeated"
    span = traces.dispatch(session_id, epoch, reason, is_first=is_ours)
    opened = traces.span(session_id, Step.OPEN_ROOM, parent=dispatch_span(session_id, epoch))
    with span, opened:
        yield


def caller_span(call: Call) -> tuple[int, int] | None:
    """Return the span in which the caller says that it asks."""
    if not call.state["traces"].is_on:
        return None
    return parse_traceparent(call.request.headers.get("traceparent", ""))
