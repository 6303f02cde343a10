"""A TCP proxy that fails on demand, in front of any server.

    async with fault_proxy(livekit_server.port) as proxy:
        await proxy.switch(Fault.BLACK_HOLE)

A fault takes hold of the connections that are open too, as a broken network would. A connection
that has lost bytes never comes back to life; new ones are as good as the fault of the moment.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
FLUSH_WITHIN_S = 1.0
_LINGER_0 = struct.pack("ii", 1, 0)


class Fault(StrEnum):
    """What becomes of connections and of the bytes on them."""

    PASS = "pass"  # nothing happens to them
    REFUSE = "refuse"  # nobody listens; open connections are reset
    BLACK_HOLE = "black_hole"  # accepted, and never answered
    DELAY = "delay"  # every piece comes `delay_s` late
    RESET = "reset"  # accepted and reset (RST) at once
    CUT = "cut"  # the server's answer ends after `after_bytes`
    HALF_CLOSE = "half_close"  # the server's side ends before its first byte; ours stays open


class FaultProxy:
    """A running proxy. `connections` counts all that were accepted so far.

    Where its target refuses a connection, the first of `next_ports` has it that does not.
    """

    def __init__(
        self, target_port: int, target_host: str = LOOPBACK, *, next_ports: Sequence[int] = ()
    ) -> None:
        self._targets = [(target_host, port) for port in (target_port, *next_ports)]
        self._reserved = _bound_socket(0)
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port: int = self._reserved.getsockname()[1]
        self.fault = Fault.PASS
        self.delay_s = 0.0
        self.after_bytes = 0
        self.connections = 0

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._open)

    async def switch(self, fault: Fault, *, delay_s: float = 0.0, after_bytes: int = 0) -> None:
        """Do this from now on."""
        self.fault, self.delay_s, self.after_bytes = fault, delay_s, after_bytes
        if fault is Fault.REFUSE:
            self._stop_listening()
        elif self._server is None:
            self._server = await asyncio.start_server(
                self._accept, sock=_bound_socket(self.port), limit=CHUNK_BYTES
            )
        for connection in list(self._open):
            connection.take(fault)

    async def aclose(self) -> None:
        """Close everything."""
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reserved.close()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(_Connection(self, reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection) -> None:
        self._open.add(connection)
        try:
            connection.take(self.fault)
            await connection.relay(self._targets)
        finally:
            self._open.discard(connection)
            await connection.aclose()


class _Connection:
    """One client, and the connection to the server that belongs to it."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._reader, self._client = proxy, reader, writer
        self._server: asyncio.StreamWriter | None = None
        self._is_lost = False
        self._answered_bytes = 0

    def take(self, fault: Fault) -> None:
        """Suffer what a fault does to a connection as it stands."""
        self._answered_bytes = 0
        if fault in {Fault.BLACK_HOLE, Fault.RESET, Fault.REFUSE, Fault.HALF_CLOSE}:
            self._is_lost = True
        if fault in {Fault.RESET, Fault.REFUSE}:
            reset(self._client)
        elif fault is Fault.HALF_CLOSE:
            with suppress(OSError):
                self._client.write_eof()

    async def relay(self, targets: Sequence[tuple[str, int]]) -> None:
        """Carry bytes both ways until the client is gone, or both sides have ended."""
        with suppress(OSError):
            if self._is_lost:
                await _swallow(self._reader)
                return
            reader, self._server = await _reached(targets)
            back = asyncio.create_task(self._carry(reader, self._client, is_answer=True))
            try:
                await self._carry(self._reader, self._server, is_answer=False)
                if not self._is_lost:
                    await back
            finally:
                back.cancel()
                await asyncio.wait({back})

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        try:
            while piece := await source.read(CHUNK_BYTES):
                if self._proxy.fault is Fault.DELAY:
                    await asyncio.sleep(self._proxy.delay_s)
                if self._is_lost:
                    continue
                sink.write(self._cut(piece) if is_answer else piece)
                await sink.drain()
                if self._is_lost:
                    self._client.close()
            if not self._is_lost:
                sink.write_eof()
        except OSError:
            # The other side must not wait for an end that does not come.
            self._is_lost = True
            self._client.close()

    def _cut(self, piece: bytes) -> bytes:
        if self._proxy.fault is not Fault.CUT:
            return piece
        piece = piece[: self._proxy.after_bytes - self._answered_bytes]
        self._answered_bytes += len(piece)
        self._is_lost = self._answered_bytes >= self._proxy.after_bytes
        return piece

    async def aclose(self) -> None:
        for writer in (self._client, self._server):
            if writer is not None:
                writer.close()
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(FLUSH_WITHIN_S):
                        await writer.wait_closed()
                writer.transport.abort()


@asynccontextmanager
async def fault_proxy(
    target_port: int, target_host: str = LOOPBACK, *, next_ports: Sequence[int] = ()
) -> AsyncIterator[FaultProxy]:
    """Yield a proxy on a free port that passes everything, until told otherwise."""
    proxy = FaultProxy(target_port, target_host, next_ports=next_ports)
    try:
        await proxy.switch(Fault.PASS)
        yield proxy
    finally:
        await proxy.aclose()


async def _reached(
    targets: Sequence[tuple[str, int]],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first that takes connections. Raises OSError."""
    *others, last = targets
    for target in others:
        with suppress(ConnectionRefusedError):
            return await asyncio.open_connection(*target, limit=CHUNK_BYTES)
    return await asyncio.open_connection(*last, limit=CHUNK_BYTES)


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK_BYTES):
        pass


def _bound_socket(port: int) -> socket.socket:
    """Return a socket that has the port. One that only has it keeps others from taking it."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((LOOPBACK, port))
    return bound


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection the rude way, with RST."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    writer.transport.abort()
