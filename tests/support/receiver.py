"""Who is told: a real HTTP server on loopback, kind or hostile, with what came to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Post:
    """One request."""

    head: str
    headers: dict[str, str]
    body: bytes


#: Does whatever it likes with a connection on which a request has come.
Behaviour = Callable[[Post, asyncio.StreamWriter], Awaitable[None]]


def answers(status: int, *headers: str, body: str = "") -> Behaviour:
    """Answer as servers do."""

    async def behave(_: Post, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers, "", body]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return behave


async def never(_: Post, writer: asyncio.StreamWriter) -> None:
    """Take the request, and never answer."""
    del writer
    await asyncio.Event().wait()


async def byte_by_byte(_: Post, writer: asyncio.StreamWriter) -> None:
    """Begin to answer, and never come to the end of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_headers(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer with headers that never end, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: " + 1_000 * b"x" + b"\r\n")
        await writer.drain()


async def endless_line(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer with one line that never ends."""
    writer.write(b"HTTP/1.1 200 ")
    while True:
        writer.write(64_000 * b"x")
        await writer.drain()


async def endless_hints(_: Post, writer: asyncio.StreamWriter) -> None:
    """Say "go on" for ever."""
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()


async def huge_body(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer with success and 10 GB, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    for _round in range(10_000):
        writer.write(1_000_000 * b"x")
        await writer.drain()


async def half_a_header(_: Post, writer: asyncio.StreamWriter) -> None:
    """Close the connection in the middle of a header."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def no_http(_: Post, writer: asyncio.StreamWriter) -> None:
    """Answer with something else altogether."""
    writer.write(b"\x16\x03\x01\x00 SSH-2.0 \xff\xfe\r\n\r\n")
    await writer.drain()


@dataclass
class Receiver:
    """A server, and what came to it; `behaviour` may be changed at any time."""

    behaviour: Behaviour = field(default_factory=lambda: answers(200))
    port: int = 0
    posts: list[Post] = field(default_factory=list)
    #: Connections, with or without a request.
    connections: int = 0
    #: Bytes that were taken from a behaviour that sends a lot are not counted by anybody else.
    most_at_once: int = 0
    _at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cret-path"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                post = await _read(reader)
                self.posts.append(post)
                await self.behaviour(post, writer)
        finally:
            self._at_once -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def receiving(behaviour: Behaviour | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver, and end it with whatever it is still doing."""
    receiver = Receiver(behaviour or answers(200))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(receiver.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Post:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Post(head, headers, body)
