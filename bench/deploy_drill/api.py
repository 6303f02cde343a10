"""The API as users of the Python client have it, its usual repetitions included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from tests.support.plain import NO_TLS
from voicefleet_client import Voicefleet
from voicefleet_client.transport import TIMEOUT_S

_START_PATH = "/api/session/start"


@dataclass(slots=True)
class Tries:
    """How often a start was sent: more than once where the first one was of no use."""

    count: int = 0


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[Voicefleet, Tries]]:
    """Yield a client with connections of its own, as each user has them."""
    tries = Tries()

    async def note(request: httpx2.Request) -> None:
        tries.count += request.url.path == _START_PATH

    hooks = {"request": [note]}
    # What the client makes by itself, but for the hook.
    http = httpx2.AsyncClient(timeout=TIMEOUT_S, verify=NO_TLS, event_hooks=hooks)
    async with http:
        yield Voicefleet(url, http=http), tries
