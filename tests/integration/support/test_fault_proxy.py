"""The proxy does to a connection what its name says, and lets the next one through."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.support.fault_proxy import LOOPBACK, Fault, FaultProxy, fault_proxy, reset
from tests.support.wait import eventually

#: Nothing here takes so long unless something is wrong.
DEADLINE_S = 20.0
#: So long we look whether a silent connection stays silent.
SILENCE_S = 0.2
GREETING = b"0123456789"


class Echo:
    """A server that greets with ten bytes and then sends back what it gets."""

    def __init__(self) -> None:
        self.connections = 0
        self.received = b""
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError):
            writer.write(GREETING)
            while piece := await reader.read(65_536):
                self.received += piece
                writer.write(piece)
                await writer.drain()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo, LOOPBACK, 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(echo.port) as proxy, asyncio.timeout(DEADLINE_S * 3):
        yield proxy


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readexactly(count)

    async def read_all(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(SILENCE_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@pytest.fixture
async def clients() -> AsyncIterator[list[Client]]:
    clients: list[Client] = []
    yield clients
    for client in clients:
        client.writer.transport.abort()
    await asyncio.sleep(0)


async def connect(proxy: FaultProxy, clients: list[Client]) -> Client:
    async with asyncio.timeout(DEADLINE_S):
        clients.append(Client(*await asyncio.open_connection(LOOPBACK, proxy.port)))
    return clients[-1]


async def greeted(proxy: FaultProxy, clients: list[Client]) -> Client:
    client = await connect(proxy, clients)
    assert await client.read(len(GREETING)) == GREETING
    return client


async def test_everything_passes_both_ways_to_the_last_byte(
    proxy: FaultProxy, clients: list[Client]
) -> None:
    client = await greeted(proxy, clients)
    sent = bytes(range(256)) * 2000
    client.writer.write(sent)
    client.writer.write_eof()
    assert await client.read_all() == sent


async def test_connections_are_counted(proxy: FaultProxy, clients: list[Client]) -> None:
    for _ in range(3):
        await greeted(proxy, clients)
    assert (proxy.connections, proxy.open_connections) == (3, 3)
    clients[0].writer.close()

    async def is_gone() -> bool:
        return proxy.open_connections == 2

    await eventually(is_gone)


async def test_a_client_that_goes_away_is_let_go(proxy: FaultProxy, clients: list[Client]) -> None:
    """With a reset, or out of a black hole: the server's side does not keep it."""
    for fault in (Fault.PASS, Fault.BLACK_HOLE):
        client = await greeted(proxy, clients)
        await proxy.switch(fault)
        if fault is Fault.PASS:
            reset(client.writer)
        client.writer.close()

        async def is_gone() -> bool:
            return proxy.open_connections == 0

        await eventually(is_gone)


async def test_refusing(proxy: FaultProxy, clients: list[Client], echo: Echo) -> None:
    """An open connection is reset, new ones are refused, and the port stays ours."""
    before = await greeted(proxy, clients)
    await proxy.switch(Fault.REFUSE)
    with pytest.raises(ConnectionResetError):
        await before.read_all()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy, clients)
    assert (proxy.connections, echo.connections) == (1, 1)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number says it
        await asyncio.start_server(echo, LOOPBACK, proxy.port)
    assert caught.value.errno == errno.EADDRINUSE
    await proxy.switch(Fault.PASS)
    await greeted(proxy, clients)


async def test_a_black_hole_takes_bytes_and_says_nothing(
    proxy: FaultProxy, clients: list[Client], echo: Echo
) -> None:
    before = await greeted(proxy, clients)
    await proxy.switch(Fault.BLACK_HOLE)
    after = await connect(proxy, clients)
    for client in (before, after):
        client.writer.write(b"anybody there?" * 1000)
        await client.writer.drain()
        assert await client.hears_nothing()
    assert echo.received == b""
    await proxy.switch(Fault.PASS)
    assert await before.hears_nothing()
    assert await after.hears_nothing()
    await greeted(proxy, clients)


async def test_a_black_hole_needs_no_server(clients: list[Client]) -> None:
    server = await asyncio.start_server(Echo(), LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    async with fault_proxy(port) as proxy:
        await proxy.switch(Fault.BLACK_HOLE)
        assert await (await connect(proxy, clients)).hears_nothing()


async def test_another_server_has_what_the_first_refuses(echo: Echo, clients: list[Client]) -> None:
    """And only that: once the first is there, it has the next connection."""
    server = await asyncio.start_server(Echo(), LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with fault_proxy(port, next_ports=[echo.port]) as proxy:
        await greeted(proxy, clients)
        first = Echo()
        async with await asyncio.start_server(first, LOOPBACK, port):
            await greeted(proxy, clients)
            assert (first.connections, echo.connections) == (1, 1)


async def test_a_delay(proxy: FaultProxy, clients: list[Client]) -> None:
    await proxy.switch(Fault.DELAY, delay_s=0.3)
    began = time.monotonic()
    await greeted(proxy, clients)
    assert time.monotonic() - began >= 0.3


async def test_a_reset(proxy: FaultProxy, clients: list[Client]) -> None:
    before = await greeted(proxy, clients)
    await proxy.switch(Fault.RESET)
    with pytest.raises(ConnectionResetError):
        await before.read_all()
    with pytest.raises(ConnectionResetError):
        await (await connect(proxy, clients)).read_all()
    assert proxy.connections == 2


@pytest.mark.parametrize("after_bytes", [0, 4])
async def test_an_answer_that_is_cut(
    proxy: FaultProxy, clients: list[Client], after_bytes: int
) -> None:
    before = await greeted(proxy, clients)
    await proxy.switch(Fault.CUT, after_bytes=after_bytes)
    assert await (await connect(proxy, clients)).read_all() == GREETING[:after_bytes]
    before.writer.write(b"abcdefgh")
    assert await before.read_all() == b"abcdefgh"[:after_bytes]


async def test_half_closed(proxy: FaultProxy, clients: list[Client]) -> None:
    """The other side has ended, and still takes what we send."""
    before = await greeted(proxy, clients)
    await proxy.switch(Fault.HALF_CLOSE)
    after = await connect(proxy, clients)
    for client in (before, after):
        assert await client.read_all() == b""
        for _ in range(3):
            client.writer.write(b"x" * 100_000)
            await client.writer.drain()
    assert proxy.open_connections == 2


async def test_closing_it_leaves_nothing_open(echo: Echo, clients: list[Client]) -> None:
    """Not even a connection whose client never reads."""
    async with fault_proxy(echo.port) as proxy:
        client = await greeted(proxy, clients)
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(b"x" * 20_000_000)

        async def is_full() -> bool:
            (connection,) = proxy._open
            return connection._client.transport.get_write_buffer_size() > 0

        await eventually(is_full)
    assert proxy.open_connections == 0
    assert not [task for task in asyncio.all_tasks() if "FaultProxy" in repr(task)]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, proxy.port)
