"""Sends spans by OTLP over HTTP, from a thread of its own, for as long as its queue has room.

Imported only where there is a receiver (telemetry/tracing.py): it takes OpenTelemetry's SDK, which
comes with the extra `tracing`. A receiver that hangs, refuses or is slow costs spans, which are
counted, and nobody's time: who makes a span never waits, and the end of a process waits a moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from opentelemetry import context as otel_context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from telemetry.settings import TracingSettings
from telemetry.span_rules import LASTING, allowed_attributes, allowed_name
from telemetry.tracing import Span, Traces, Value, is_sampled, trace_id
from telemetry.version import VERSION

logger = logging.getLogger(__name__)

#: How long a receiver has for one batch, with all repetitions.
_EXPORT_S = 5.0
#: Who is killed loses what has come together since the last batch.
_BATCH_EVERY_MS = 500
_BATCH = 256
#: So many wait at most; others are lost.
_MOST_WAITING = 2_000
#: How long the end of a process waits for the last ones.
_CLOSE_S = 2.0
#: More calls than that no process has at once.
_MOST_LASTING = 1_000
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtlpTraces(Traces):
    """Takes spans and sends them."""

    def __init__(
        self,
        settings: TracingSettings,
        service: str,
        on_lost: Callable[[int], None],
        resource: Mapping[str, str],
    ) -> None:
        # Told of by `_CountingExporter`, once and without what the receiver says.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ratio = settings.otel_traces_sampler_arg
        name = f"{settings.otel_service_name}-{service}"
        self._resource = Resource.create(
            {"service.name": name, "service.version": VERSION, **resource}
        )
        self._scope = InstrumentationScope("voicefleet", VERSION)
        self._tally = _Tally(on_lost)
        exporter = OTLPSpanExporter(
            endpoint=f"{str(settings.otel_exporter_otlp_endpoint).rstrip('/')}/v1/traces",
            headers=settings.otlp_headers,
            timeout=_EXPORT_S,
        )
        self._processor = _CarefulProcessor(_CountingExporter(exporter, self._tally), self._tally)

    @property
    def is_on(self) -> bool:
        """See `Traces`."""
        return True

    def take(self, span: Span) -> None:
        """See `Traces`."""
        trace = trace_id(span.session_id)
        if not is_sampled(trace, self._ratio):
            return
        own_id = span.id if span.id is not None else _random_id()
        attributes: dict[str, Value] = {"voicefleet.session_id": span.session_id}
        attributes |= {f"voicefleet.{name}": value for name, value in span.attributes.items()}
        if span.error is not None:
            attributes["error.type"] = span.error
        self._processor.on_end(
            ReadableSpan(
                name=span.step,
                context=_context(trace, own_id, is_remote=False),
                parent=None if span.parent is None else _context(trace, span.parent),
                resource=self._resource,
                attributes=attributes,
                links=() if span.link is None else (Link(_context(*span.link)),),
                status=Status(StatusCode.UNSET if span.error is None else StatusCode.ERROR),
                start_time=span.began_ns,
                end_time=max(span.began_ns, span.ended_ns),
                instrumentation_scope=self._scope,
            )
        )

    def enter(self, session_id: str, parent: int) -> None:
        """See `Traces`."""
        trace = trace_id(session_id)
        if is_sampled(trace, self._ratio):
            span = NonRecordingSpan(_context(trace, parent))
            # Ends with the task that it is attached in.
            otel_context.attach(set_span_in_context(span))

    def provider(self) -> TracerProvider:
        """See `Traces`."""
        provider = TracerProvider(
            sampler=ParentBased(ALWAYS_OFF), resource=self._resource, shutdown_on_exit=False
        )
        provider.add_span_processor(self._processor)
        return provider

    async def aclose(self) -> None:
        """See `Traces`."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._processor.shutdown()
            with suppress(RuntimeError):  # nobody has waited for so long
                loop.call_soon_threadsafe(closed.set)

        # A daemon, as the SDK's own: a process does not wait for it.
        threading.Thread(target=close, name="traces are closed", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await closed.wait()
        self._tally.close()


class _Tally:
    """Counts spans that wait to be sent, and those that are lost; from any thread."""

    def __init__(self, on_lost: Callable[[int], None]) -> None:
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._waiting = 0
        self._is_closed = False

    def admit(self) -> bool:
        """Count one more that waits, if there is room for it."""
        with self._lock:
            has_room = not self._is_closed and self._waiting < _MOST_WAITING
            self._waiting += has_room
        if not has_room:
            self._on_lost(1)
        return has_room

    def settle(self, count: int, *, are_sent: bool) -> bool:
        """Count some that wait no more; False when all were given up before."""
        with self._lock:
            if self._is_closed:
                return False
            self._waiting -= count
        if not are_sent:
            self._on_lost(count)
        return True

    def close(self) -> None:
        """Give up those that still wait."""
        with self._lock:
            left, self._waiting, self._is_closed = self._waiting, 0, True
        if left:
            self._on_lost(left)


class _CarefulProcessor(SpanProcessor):
    """Takes of each span what it may say, and hands it to the thread that sends it.

    A framework's span that lasts as long as a call is left out, and what is below it is put below
    the next one: of an agent that is killed it would never come, and leave the others in the air.
    """

    def __init__(self, exporter: SpanExporter, tally: _Tally) -> None:
        self._tally = tally
        #: Those that are left out, by id, with what they are below themselves.
        self._lasting: OrderedDict[int, SpanContext | None] = OrderedDict()
        self._batches = BatchSpanProcessor(
            exporter,
            # It would drop the oldest and tell nobody.
            max_queue_size=_MOST_WAITING + _BATCH,
            schedule_delay_millis=_BATCH_EVERY_MS,
            max_export_batch_size=_BATCH,
            export_timeout_millis=_EXPORT_S * 1000,
        )

    def on_start(
        self,
        span: SdkSpan,
        parent_context: otel_context.Context | None = None,  # noqa: ARG002 - of the SDK
    ) -> None:
        """Note one that is to be left out."""
        if span.name in LASTING and span.context is not None:
            self._lasting[span.context.span_id] = span.parent
            while len(self._lasting) > _MOST_LASTING:
                self._lasting.popitem(last=False)

    def on_end(self, span: ReadableSpan) -> None:
        """Take one that is over."""
        if span.context is None or not span.context.trace_flags.sampled or span.name in LASTING:
            return
        if self._tally.admit():
            parent = span.parent
            if parent is not None:
                parent = self._lasting.get(parent.span_id, parent)
            self._batches.on_end(_careful(span, parent))

    def shutdown(self) -> None:
        """Send what waits, and end the thread."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]


class _CountingExporter(SpanExporter):
    """Counts what a receiver takes, and tells when it does not."""

    def __init__(self, exporter: SpanExporter, tally: _Tally) -> None:
        self._exporter = exporter
        self._tally = tally
        self._is_taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some, from the thread of the processor."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            is_taken = result is SpanExportResult.SUCCESS
            is_news = is_taken is not self._is_taken
            if self._tally.settle(len(spans), are_sent=is_taken) and is_news:
                self._is_taken = is_taken
                level = logging.INFO if is_taken else logging.WARNING
                logger.log(level, "spans are taken again" if is_taken else "spans are not taken")
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()


def _careful(span: ReadableSpan, parent: SpanContext | None) -> ReadableSpan:
    """Return a copy that says only what is listed in telemetry/span_rules.py."""
    return ReadableSpan(
        name=allowed_name(span.name),
        context=span.context,
        parent=parent,
        resource=span.resource,
        attributes=allowed_attributes(span.attributes),
        # Of a framework's, whoever made it could have put words into its attributes.
        links=[Link(link.context) for link in span.links],
        kind=span.kind,
        # Without its description, which is the text of an exception.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _context(trace: int, span: int, *, is_remote: bool = True) -> SpanContext:
    return SpanContext(trace, span, is_remote=is_remote, trace_flags=_SAMPLED)


def _random_id() -> int:
    return random.getrandbits(64) or 1
