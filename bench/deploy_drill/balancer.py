"""The one address of the token servers: each connection goes to one that is ready.

As a Service of Kubernetes, or nginx before a Compose project, it knows of a server what `/readyz`
says, asked once a second, and nothing of HTTP. It tries no second server: whatever a client of ours
does not mend by itself is seen by its user. With nobody ready a connection is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devstack.services.ports import LOOPBACK
from devstack.services.readiness import Check, http_ok, verdict

_LOOK_EVERY_S = 1.0
_CONNECTED_WITHIN_S = 2.0
_CHUNK_BYTES = 64 * 1024
_START = b"POST /api/session/start "


@dataclass(slots=True)
class _Target:
    """A server that connections may go to."""

    is_ready: bool = False
    looking: asyncio.Task[None] | None = None


class Balancer:
    """Use `running_balancer`."""

    def __init__(self, look_every_s: float) -> None:
        self._look_every_s = look_every_s
        self.url = ""
        #: When a start was sent on, by `time.monotonic`, and to which port.
        self.starts: list[tuple[float, int]] = []
        #: Connections that were closed, since nobody was ready.
        self.turned_away = 0
        self._targets: dict[int, _Target] = {}
        self._turn = 0
        self._connections: set[asyncio.Task[None]] = set()

    def watch(self, port: int) -> None:
        """Send connections there, too, while it is ready."""
        target = self._targets[port] = _Target()
        check = http_ok(f"http://{LOOPBACK}:{port}/readyz")
        target.looking = asyncio.create_task(self._look(target, check), name="balancer looks")

    def forget(self, port: int) -> None:
        """Send nothing there any more. One that is not watched need not be forgotten."""
        target = self._targets.pop(port, None)
        if target is not None and target.looking is not None:
            target.looking.cancel()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection, beside the others."""
        task = asyncio.create_task(self._serve(reader, writer), name="balancer serves")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def aclose(self) -> None:
        """End all connections."""
        for port in list(self._targets):
            self.forget(port)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _look(self, target: _Target, check: Check) -> None:
        while True:
            target.is_ready = await verdict(check) is None
            await asyncio.sleep(self._look_every_s)

    def _choose(self) -> int | None:
        """Return the port of the next one that is ready; None while nobody is."""
        ready = [port for port, target in self._targets.items() if target.is_ready]
        self._turn += 1
        return ready[self._turn % len(ready)] if ready else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            port = self._choose()
            if port is None:
                self.turned_away += 1
            else:
                await self._relay(reader, writer, port)
        except (OSError, TimeoutError):
            # Either side broke off: the client sees it, as its connection is closed.
            writer.transport.abort()
        finally:
            writer.close()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        """Carry bytes both ways until the server has ended."""
        async with asyncio.timeout(_CONNECTED_WITHIN_S):
            answers, server = await asyncio.open_connection(LOOPBACK, port)
        asking = asyncio.create_task(self._ask(reader, server, port), name="balancer asks")
        try:
            await _carry(answers, writer)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            server.close()

    async def _ask(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, port: int
    ) -> None:
        while piece := await reader.read(_CHUNK_BYTES):
            if piece.startswith(_START):
                self.starts.append((time.monotonic(), port))
            server.write(piece)
            await server.drain()
        server.write_eof()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_CHUNK_BYTES):
        sink.write(piece)
        await sink.drain()


@asynccontextmanager
async def running_balancer(look_every_s: float = _LOOK_EVERY_S) -> AsyncIterator[Balancer]:
    """Run one on a free port until the block is left; it knows no server yet."""
    balancer = Balancer(look_every_s)
    server = await asyncio.start_server(balancer.accept, LOOPBACK, 0)
    balancer.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    try:
        yield balancer
    finally:
        server.close()
        await balancer.aclose()
