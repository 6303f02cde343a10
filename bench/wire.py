"""HTTP/1.1 as far as a load generator needs it.

It shares the cores with what it measures, and takes next to no time of them.
An aiohttp client takes 0.5 ms of CPU for a call, which 20 callers at once would wait for 20 times.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

#: Longer than any answer to a start; what does not come within that is lost.
_DEADLINE_S = 30


class Connection:
    """One connection that stays open, and one call at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect. Raises OSError."""
        return cls(*await asyncio.open_connection(host, port))

    async def post(self, path: str, value: object) -> tuple[int, bytes]:
        """Send a value as JSON; return the status and the body.

        Raises OSError, EOFError and TimeoutError; ValueError for an answer without a length.
        """
        body = json.dumps(value).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        async with asyncio.timeout(_DEADLINE_S):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next((line for line in lines if line.startswith(b"content-length:")), b"")
            answer = await self._reader.readexactly(int(length.partition(b":")[2]))
        return int(lines[0].split()[1]), answer

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


def read(status: int, body: bytes, expected: int) -> dict[str, Any]:
    """Return the JSON of an answer. Raises RuntimeError for another status than expected."""
    value: dict[str, Any] = json.loads(body)
    if status != expected:
        raise RuntimeError(f"a call was answered with {status}: {value}")
    return value
