"""Server-sent events as they come over the wire, every line of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.support.wait import eventually


@dataclass(frozen=True)
class Event:
    """One event `session`."""

    id: int
    view: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.view["status"])


@dataclass
class EventStream:
    """What has come so far."""

    status_code: int
    retry_ms: int | None = None
    events: list[Event] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    #: Whether the server has ended it in good order.
    has_ended: bool = False
    #: What broke it.
    error: Exception | None = None

    @property
    def statuses(self) -> list[str]:
        return [event.status for event in self.events]

    async def until_status(self, status: str, deadline_s: float = 20) -> Event:
        """Wait until the last event has this status."""
        await eventually(
            lambda: self._has(status), deadline_s, message=f"{status} after {self.statuses}"
        )
        return self.events[-1]

    async def until_ended(self, deadline_s: float = 20) -> None:
        async def ended() -> bool:
            assert self.error is None
            return self.has_ended

        await eventually(ended, deadline_s, message="the stream ends")

    async def _has(self, status: str) -> bool:
        return self.statuses[-1:] == [status]

    async def read(self, answer: httpx2.Response) -> None:
        try:
            await self._read(answer)
        except httpx2.TransportError as error:
            self.error = error
        else:
            self.has_ended = True

    async def _read(self, answer: httpx2.Response) -> None:
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                if "retry" in fields:
                    self.retry_ms = int(fields["retry"])
                if "data" in fields:
                    assert fields["event"] == "session"
                    self.events.append(Event(int(fields["id"]), json.loads(fields["data"])))
                fields = {}


@asynccontextmanager
async def following(
    http: httpx2.AsyncClient, session: dict[str, Any], *, last: int | None = None
) -> AsyncIterator[EventStream]:
    """Follow a session of ours; leaving the block hangs up."""
    headers = {"Authorization": f"Bearer {session['sessionSecret']}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    path = f"/api/session/{session['sessionId']}/events"
    async with http.stream("GET", path, headers=headers) as answer:
        stream = EventStream(answer.status_code)
        reading = asyncio.create_task(stream.read(answer))
        try:
            yield stream
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
