"""Who is told: a real HTTP server on loopback, kind or hostile, with what came to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.odd_server import Answer, Asked, OddServer, odd_server, says


async def never(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Take the request, and never answer."""
    del writer
    await asyncio.Event().wait()


async def byte_by_byte(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Begin to answer, and never come to the end of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_headers(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer with headers that never end, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + 1_000 * b"x" + b"\r\n")
        await writer.drain()


async def endless_line(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer with one line that never ends."""
    writer.write(b"HTTP/1.1 200 ")
    while True:
        writer.write(64_000 * b"x")
        await writer.drain()


async def endless_hints(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Say "go on" for ever."""
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()


async def huge_body(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer with success and 10 GB, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    for _round in range(10_000):
        writer.write(1_000_000 * b"x")
        await writer.drain()


async def half_a_header(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Close the connection in the middle of a header."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def no_http(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer with something else altogether."""
    writer.write(b"\x16\x03\x01\x00 SSH-2.0 \xff\xfe\r\n\r\n")
    await writer.drain()


@dataclass
class Receiver:
    """A server; how it answers may be changed at any time."""

    server: OddServer
    answer: Answer
    #: How many requests were being answered at the same time.
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook/s3cret-path"

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def connections(self) -> int:
        return self.server.connections

    @property
    def posts(self) -> list[Asked]:
        """What came to it, in order; may be cleared."""
        return self.server.asked


@asynccontextmanager
async def receiving(
    answer: Answer | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Receiver]:
    """Run a receiver, and end it with whatever it is still doing."""
    at_once = 0

    async def answers(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once
        at_once += 1
        receiver.most_at_once = max(receiver.most_at_once, at_once)
        try:
            await receiver.answer(asked, writer)
        finally:
            at_once -= 1

    async with odd_server(answers, host=host, port=port) as server:
        receiver = Receiver(server, answer or says(200))
        yield receiver
