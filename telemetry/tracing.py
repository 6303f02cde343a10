"""One trace per session, from the request that starts it to its agent's last word.

The id of a trace follows from the id of its session, as do those of spans that others are put
below: who knows the session knows where its spans belong. So nothing has to be passed on, in
Redis, in a dispatch or in a header, and an agent that takes over joins the trace that is there.

Off unless there is a receiver; then nothing of OpenTelemetry is imported (telemetry/otlp.py).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from telemetry.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Value = str | int | float | bool

#: https://www.w3.org/TR/trace-context/#traceparent-header, of any version.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_ALL = 1 << 64


class Step(StrEnum):
    """What a span of ours is about."""

    #: The root: what began the session.
    START = "start"
    STANDARD = "standard token"
    ADOPTION = "adoption"
    #: What token server and supervisor do for it.
    ADMIT = "admit"
    DISPATCH = "dispatch"
    OPEN_ROOM = "open room"
    SEND_AGENT = "send agent"
    STOP = "stop"
    #: What its agents do: from the job to the first sound, its parts, and what follows.
    AGENT = "agent"
    ACCEPT = "accept"
    LAUNCH = "launch"
    CLAIM = "claim"
    JOIN = "join"
    PUBLISH = "publish"
    GREETING = "greeting"
    TURN = "turn"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took its time in one session. Times are ns since 1970."""

    session_id: str
    step: Step
    began_ns: int
    ended_ns: int
    #: Below which span it is; None for the root.
    parent: int | None
    #: Its id, where others are to be put below it; any, otherwise.
    id: int | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    #: What went wrong, as a code or the name of an exception, and never in words.
    error: str | None = None
    #: A span of somebody else's that this one is said to belong to.
    link: tuple[int, int] | None = None


def trace_id(session_id: str) -> int:
    """Return the id of a session's trace: 128 bits that nobody else's has."""
    return int.from_bytes(hashlib.sha256(f"trace {session_id}".encode()).digest()[:16]) or 1


def span_id(session_id: str, *what: object) -> int:
    """Return the id of a span that is named, so that others can be put below it."""
    name = " ".join(map(str, ("span", session_id, *what)))
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) or 1


def root_span(session_id: str) -> int:
    """Return the id of the span that all others of a session are below."""
    return span_id(session_id, "root")


def dispatch_span(session_id: str, epoch: int) -> int:
    """Return the id of the span of the dispatch under an epoch."""
    return span_id(session_id, Step.DISPATCH, epoch)


def is_sampled(trace: int, ratio: float) -> bool:
    """Say whether a trace is one of those that are sent; everybody comes to the same answer."""
    return trace & (_ALL - 1) < round(ratio * _ALL)


def parse_traceparent(header: str) -> tuple[int, int] | None:
    """Return the trace and the span that a caller names, or None where that is no W3C header."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or header.startswith("ff"):
        return None
    trace, span = int(found[1], 16), int(found[2], 16)
    return (trace, span) if trace and span else None


class Traces:
    """Takes spans. This one is for when there are no traces: it does nothing."""

    @property
    def is_on(self) -> bool:
        """Whether anything is done with spans."""
        return False

    def take(self, span: Span) -> None:
        """Send a span, sometime; nobody waits for it."""

    def enter(self, session_id: str, parent: int) -> None:
        """Put what others make of spans in this task, and in those it starts, below one of ours."""

    def provider(self) -> TracerProvider | None:
        """Return what a framework makes its spans with; what is below none of ours is not sent."""
        return None

    async def aclose(self) -> None:
        """Send what is left, as far as that can be done in a moment."""

    @contextmanager
    def span(
        self,
        session_id: str,
        step: Step,
        *,
        parent: int | None,
        own_id: int | None = None,
        link: tuple[int, int] | None = None,
        **attributes: Value,
    ) -> Iterator[None]:
        """Make a span of what is done within, with what went wrong in it."""
        if not self.is_on:
            yield
            return
        began_ns, error = time.time_ns(), None
        try:
            yield
        except BaseException as raised:
            error = error_code(raised)
            raise
        finally:
            span = Span(
                session_id=session_id,
                step=step,
                began_ns=began_ns,
                ended_ns=time.time_ns(),
                parent=parent,
                id=own_id,
                attributes=attributes,
                error=error,
                link=link,
            )
            self.take(span)

    def dispatch(
        self, session_id: str, epoch: int, reason: str, *, is_first: bool = True
    ) -> AbstractContextManager[None]:
        """Make the span of a dispatch; `is_first`: of its epoch, whose agent is put below it."""
        return self.span(
            session_id,
            Step.DISPATCH,
            parent=root_span(session_id),
            own_id=dispatch_span(session_id, epoch) if is_first else None,
            epoch=epoch,
            reason=reason,
        )


def error_code(error: BaseException) -> str:
    """Name what went wrong without its text, which may hold anything."""
    return str(getattr(error, "code", type(error).__name__))


#: No traces.
OFF = Traces()


def open_traces(
    settings: TracingSettings, service: str, on_lost: Callable[[int], None], **resource: str
) -> Traces:
    """Return where the spans of a process go: nowhere unless there is a receiver.

    `on_lost` is told from any thread how many could not be sent; `resource` is what all of them
    say of the process. Must not be called before a process forks.
    """
    if settings.otel_exporter_otlp_endpoint is None:
        return OFF
    from telemetry.otlp import OtlpTraces  # noqa: PLC0415 - not imported unless it is used

    return OtlpTraces(settings, service, on_lost, resource)
