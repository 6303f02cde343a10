"""The token servers as users see them: two addresses, of which any may be dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from tests.chaos.stage import Stage
from voicefleet_client import ApiError, Unreachable, VoicefleetError
from voicefleet_client.transport import Transport

T = TypeVar("T")

START = "/api/session/start"
#: Above what the servers take when a neighbour is away; less than the client's own patience.
_ANSWER_WITHIN_S = 6.0
_PATIENCE_S = 60.0
_PAUSE_S = 0.25
#: However long a server asks to wait, a user of ours asks again.
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to somebody who wanted to start."""

    at: float
    status: int
    #: Seconds after which to come again, if it said so.
    retry_after: str | None


class Front:
    """Asks one server after the other until one answers, as a client of ours behind DNS does."""

    def __init__(self, stage: Stage, http: httpx2.AsyncClient) -> None:
        self._transports = [
            Transport(server.url, timeout_s=_ANSWER_WITHIN_S, http=http) for server in stage.servers
        ]
        self._turn = 0
        #: What was refused, or not answered, and for now.
        self.refusals: list[VoicefleetError] = []
        #: Each answer to a start, those that the client's library did not pass on among them.
        self.starts: list[Answer] = []
        http.event_hooks = {"response": [self._note]}

    async def ask(
        self, work: Callable[[Transport], Awaitable[T]], deadline_s: float = _PATIENCE_S
    ) -> T:
        """Return the first answer. Raises what was said last, when no other answer is to come."""
        ends_at = time.monotonic() + deadline_s
        while True:
            self._turn += 1
            try:
                return await work(self._transports[self._turn % len(self._transports)])
            except (ApiError, Unreachable) as error:
                self.refusals.append(error)
                pause_s = min(error.retry_after_s or _PAUSE_S, _LONGEST_PAUSE_S)
                if not error.is_passing or time.monotonic() + pause_s > ends_at:
                    raise
                await asyncio.sleep(pause_s)

    async def _note(self, response: httpx2.Response) -> None:
        if response.request.url.path == START:
            retry_after = response.headers.get("Retry-After")
            self.starts.append(
                Answer(at=time.monotonic(), status=response.status_code, retry_after=retry_after)
            )
