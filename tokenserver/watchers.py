"""Calls that wait for a change: long polls and streams of events. There are so many at most."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from tokenserver.errors import ApiError

_RETRY_AFTER_S = 5
_LOOKS_AT_ONCE = 50
#: What is refused here, as contracts list it.
TOO_MANY_WATCHERS = (
    (HTTPStatus.SERVICE_UNAVAILABLE, "too_many_watchers"),
    (HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"),
)


class Watchers:
    """Counts those who wait, in this process, and sends them home when it stops."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._by_address: Counter[str] = Counter()
        #: Taken for each look at the store: after an outage all want to look at the same moment.
        self.turns = asyncio.Semaphore(_LOOKS_AT_ONCE)
        #: Set when the server stops: whoever waits is to come back, to another one perhaps.
        self.closing = asyncio.Event()

    @property
    def count(self) -> int:
        """How many wait now."""
        return self._by_address.total()

    @asynccontextmanager
    async def watch(self, address: str) -> AsyncIterator[None]:
        """Hold one of the places. Raises ApiError 503 when there is none, 429 for one address."""
        if self.count >= self._most:
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_many_watchers",
                "Too many are waiting here already. Please ask without waiting.",
                retry_after_s=_RETRY_AFTER_S,
            )
        if self._by_address[address] >= self._most_per_address:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                "You are waiting in too many places at once.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for one of them, and give up the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
