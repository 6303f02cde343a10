"""A receiver of traces: real HTTP, OTLP in protobuf, and one that never answers on demand.

async with receiver() as one:
    one.holds = True
    ... OTEL_EXPORTER_OTLP_ENDPOINT=one.url ...
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.serving import serving

Value = str | int | float | bool

_MAX_BYTES = 64 * 1024 * 1024
_ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A span as it came."""

    name: str
    trace: int
    id: int
    #: 0 for a root.
    parent: int
    service: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, Value]
    is_error: bool
    links: list[tuple[int, int]]
    events: int


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Where it is, what came, and how it behaves."""

    url: str
    #: Whether requests are read and never answered.
    holds: bool = False
    bodies: list[bytes] = field(default_factory=list, repr=False)
    headers: list[dict[str, str]] = field(default_factory=list, repr=False)
    spans: list[Received] = field(default_factory=list)
    #: How many requests wait for an answer, whose senders are there still.
    held: int = 0
    #: How many were ever held.
    ever_held: int = 0

    def named(self, name: str) -> list[Received]:
        """Return the spans of a name, the first ones first."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.began_ns)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Take what one request brings."""
        body = await request.read()
        if self.holds:
            self.held += 1
            self.ever_held += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.held -= 1
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.spans += spans_of(body)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Serve one on a free port of this machine."""
    # Whoever hangs up is no longer held.
    app = web.Application(client_max_size=_MAX_BYTES, handler_args={"handler_cancellation": True})
    one = Receiver(url="")
    app.router.add_post("/v1/traces", one.take)
    async with serving(app) as address:
        one.url = f"http://{address}"
        yield one


def spans_of(body: bytes) -> list[Received]:
    """Return the spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Received(
            name=span.name,
            trace=int.from_bytes(span.trace_id),
            id=int.from_bytes(span.span_id),
            parent=int.from_bytes(span.parent_span_id),
            service=str(_values(resource.resource.attributes)["service.name"]),
            began_ns=span.start_time_unix_nano,
            ended_ns=span.end_time_unix_nano,
            attributes=_values(span.attributes),
            is_error=span.status.code == _ERROR,
            links=[
                (int.from_bytes(one.trace_id), int.from_bytes(one.span_id)) for one in span.links
            ],
            events=len(span.events),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(pairs: object) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in pairs:  # type: ignore[attr-defined]
        kind = pair.value.WhichOneof("value")
        found[pair.key] = getattr(pair.value, kind)
    return found
