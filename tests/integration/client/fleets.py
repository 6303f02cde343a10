"""Clients of servers that are not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.odd_server import Answer, Asked, odd_server
from voicefleet_client import TokenSource, Voicefleet

_DEADLINE_S = 60.0


@asynccontextmanager
async def fleet_at(
    *answers: Answer, token: TokenSource | None = None, timeout_s: float = 15
) -> AsyncIterator[tuple[Voicefleet, list[Asked]]]:
    """Yield a client of an odd server with these answers, and what that was asked."""
    async with (
        asyncio.timeout(_DEADLINE_S),
        odd_server(*answers) as server,
        Voicefleet(server.url, token=token, timeout_s=timeout_s) as fleet,
    ):
        yield fleet, server.asked
