"""HTTP by hand: what no client library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

ANSWERS_WITHIN_S = 20.0


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to a server; hang up at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def spoken(url: str, request: bytes) -> bytes:
    """Send these bytes; return all that comes until the server hangs up."""
    async with asyncio.timeout(ANSWERS_WITHIN_S), connection(url) as (reader, writer):
        writer.write(request)
        return await reader.read()


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer."""
    return int(answer.split(b" ", 2)[1])
