"""A small HTTP server that answers as it is told: badly, slowly, or not to the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class OddServer:
    """Where it listens, and what it was asked."""

    url: str
    port: int = 0
    #: Also those on which nothing was asked.
    connections: int = 0
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def odd_server(
    *answers: Answer, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[OddServer]:
    """Run a server that gives one answer after the other, and the last one to whoever comes then.

    Each is for one connection, which is closed after it.
    """
    seen = OddServer(url="")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        seen.connections += 1
        # Cancelled is how an answer ends that has no end.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            asked = await _read(reader)
            answer = answers[min(len(seen.asked), len(answers) - 1)]
            seen.asked.append(asked)
            await answer(asked, writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, port)
    seen.port = server.sockets[0].getsockname()[1]
    seen.url = f"http://{host}:{seen.port}"
    try:
        yield seen
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(status: int, body: object = b"", /, **headers: str) -> Answer:
    """Answer with a status and a body: bytes, or what becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        head = [
            f"HTTP/1.1 {status} X",
            f"Content-Length: {len(content)}",
            "Connection: close",
            *lines,
        ]
        head += ["", ""]
        writer.write("\r\n".join(head).encode() + content)

    return answer


def refuses(status: int, code: str, retry_after_s: int | None = None) -> Answer:
    """Answer as our server refuses."""
    error = {"code": code, "message": "No."}
    after = {} if retry_after_s is None else {"retryAfter": retry_after_s}
    headers = {"X_Request_ID": "odd-1"}
    return says(status, {"success": False, "error": error | after}, **headers)


def streams(*parts: bytes, forever: bytes = b"", each_s: float = 0, kind: str = "") -> Answer:
    """Begin a stream of events, say some parts of it, then one of them for ever."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 X\r\nContent-Type: {kind or 'text/event-stream'}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + b"".join(parts))
        while forever:
            writer.write(forever)
            await writer.drain()
            await asyncio.sleep(each_s)

    return answer


async def hang_up(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""
    writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, path=path, headers=headers, body=body)
