"""The link loses the share of packets that it is told to, and keeps its clients apart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import psutil  # type: ignore[import-untyped]
import pytest

from devstack.services.ports import LOOPBACK, free_port
from tests.support.lossy_udp import FRONT, Address, LossyUdp, lossy_udp
from tests.support.wait import eventually

PACKETS = 4_000
#: More at once than this might not find room in the buffers of a busy machine.
IN_A_ROW = 50


class Endpoint(asyncio.DatagramProtocol):
    """A socket that remembers what came, and from where; a server sends it back."""

    def __init__(self, *, is_server: bool = False) -> None:
        self.received: list[bytes] = []
        self.senders: list[Address] = []
        self._is_server = is_server
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not of that class in Python 3.11, and all the same one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.received.append(data)
        self.senders.append(addr)
        if self._is_server:
            self.send(data, addr)

    def send(self, data: bytes, target: Address) -> None:
        assert self._transport is not None
        self._transport.sendto(data, target)

    def connection_lost(self, _: Exception | None) -> None:
        self._closed.set()

    async def close(self) -> None:
        assert self._transport is not None
        self._transport.close()
        await self._closed.wait()

    @property
    def address(self) -> Address:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return host, port


async def endpoint(cleanup: AsyncExitStack, *, is_server: bool = False) -> Endpoint:
    loop = asyncio.get_running_loop()
    _, one = await loop.create_datagram_endpoint(
        lambda: Endpoint(is_server=is_server), local_addr=(LOOPBACK, 0)
    )
    cleanup.push_async_callback(one.close)
    return one


@pytest.fixture
async def cleanup() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def link_to(
    server: Endpoint, cleanup: AsyncExitStack, *, loss: float, idle_s: float = 60.0
) -> LossyUdp:
    _, port = server.address
    link = lossy_udp(server=server.address, front=(FRONT, port), loss=loss, idle_s=idle_s)
    return await cleanup.enter_async_context(link)


async def until_received(one: Endpoint, count: int) -> None:
    async def has_come() -> bool:
        return len(one.received) == count

    await eventually(has_come, message=f"{count} packets")


async def test_everything_passes_both_ways_in_order(cleanup: AsyncExitStack) -> None:
    """Whole, too, if they are larger than a network would carry."""
    server = await endpoint(cleanup, is_server=True)
    link = await link_to(server, cleanup, loss=0)
    client = await endpoint(cleanup)
    sent = [b"x" * 60_000, *(bytes([number]) for number in range(200))]
    for count, packet in enumerate(sent, start=1):
        client.send(packet, link.address)
        await until_received(client, count)
    assert server.received == client.received == sent
    assert set(client.senders) == {link.address}
    assert (link.to_server.packets, link.to_clients.packets) == (len(sent), len(sent))
    assert (link.to_server.dropped, link.to_clients.dropped) == (0, 0)


async def test_each_client_gets_its_own_answers(cleanup: AsyncExitStack) -> None:
    server = await endpoint(cleanup, is_server=True)
    link = await link_to(server, cleanup, loss=0)
    clients = [await endpoint(cleanup) for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(b"from %d" % number, link.address)
    for number, client in enumerate(clients):
        await until_received(client, 1)
        assert client.received == [b"from %d" % number]
    assert link.clients == len(set(server.senders)) == 3


async def test_about_the_share_asked_for_is_lost_in_both_directions(
    cleanup: AsyncExitStack,
) -> None:
    """A tenth of 4,000 packets, and of those that come back; seven standard deviations at most."""
    server = await endpoint(cleanup, is_server=True)
    link = await link_to(server, cleanup, loss=0.1)
    client = await endpoint(cleanup)

    async def are_through() -> bool:
        answered = link.to_clients.packets == link.to_server.packets - link.to_server.dropped
        return answered and link.to_server.packets == sent

    sent = 0
    while sent < PACKETS:
        for _ in range(IN_A_ROW):
            client.send(b"x", link.address)
        sent += IN_A_ROW
        await eventually(are_through)
    assert 0.066 < link.to_server.share < 0.134
    assert 0.066 < link.to_clients.share < 0.134
    assert len(server.received) == link.to_clients.packets
    await until_received(client, link.to_clients.packets - link.to_clients.dropped)


async def test_the_loss_can_be_changed_on_the_way(cleanup: AsyncExitStack) -> None:
    server = await endpoint(cleanup, is_server=True)
    link = await link_to(server, cleanup, loss=1)
    client = await endpoint(cleanup)
    client.send(b"lost", link.address)

    async def is_dropped() -> bool:
        return link.to_server.dropped == 1

    await eventually(is_dropped)
    link.loss = 0
    client.send(b"found", link.address)
    await until_received(client, 1)
    assert server.received == client.received == [b"found"]


async def test_a_client_that_is_gone_is_forgotten_and_one_that_speaks_is_not(
    cleanup: AsyncExitStack,
) -> None:
    """1. Two clients send. 2. One stops. Result: its socket is closed; the other's stays, as the
    server sees."""
    server = await endpoint(cleanup, is_server=True)
    link = await link_to(server, cleanup, loss=0, idle_s=1.0)
    silent, lively = await endpoint(cleanup), await endpoint(cleanup)
    silent.send(b"once", link.address)

    async def is_forgotten() -> bool:
        lively.send(b"again", link.address)
        return link.clients == 1 and len(lively.received) > 0

    await until_received(silent, 1)
    await eventually(is_forgotten)
    silent.send(b"back", link.address)
    await until_received(silent, 2)
    assert link.clients == 2
    of_lively = {
        sender
        for packet, sender in zip(server.received, server.senders, strict=True)
        if packet == b"again"
    }
    assert len(of_lively) == 1


async def test_closing_it_leaves_nothing_open() -> None:
    async with AsyncExitStack() as cleanup:
        server = await endpoint(cleanup, is_server=True)
        before = psutil.Process(os.getpid()).num_fds()
        async with AsyncExitStack() as inner:
            link = await link_to(server, inner, loss=0)
            for _ in range(5):
                client = await endpoint(inner)
                client.send(b"x", link.address)
                await until_received(client, 1)
            front = link.address
        assert link.clients == 0
        assert not [task for task in asyncio.all_tasks() if "lossy" in task.get_name()]
        async with lossy_udp(server=server.address, front=front):  # the address is free again
            pass

        async def are_closed() -> bool:
            return bool(psutil.Process(os.getpid()).num_fds() == before)

        await eventually(are_closed)


async def test_an_address_that_is_taken_is_said(cleanup: AsyncExitStack) -> None:
    server = await endpoint(cleanup, is_server=True)
    with pytest.raises(OSError, match="in use"):
        async with lossy_udp(server=(LOOPBACK, free_port()), front=server.address):
            pytest.fail("two listen there")
