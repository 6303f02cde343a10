"""A UDP address in front of a server that loses packets on the way, in both directions.

    async with lossy_udp(server=("127.0.0.1", 7882), front=("127.0.0.2", 7882), loss=0.01) as link:
        ...
        assert link.to_server.dropped

It needs neither root nor a kernel that can lose packets by itself: all of 127.0.0.0/8 is this
machine, so a server that names 127.0.0.2 to its clients is reached through whoever listens there.
Each client has a socket of its own towards the server, which tells them apart by it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

Address = tuple[str, int]

FRONT = "127.0.0.2"
#: What LiveKit's section `rtc` has to say, so that media come by a link at FRONT and in no other
#: way: no TCP, and no packet of the server's to clients that have not come through the link before.
ONLY_BY_LINK: Mapping[str, object] = {"node_ip": FRONT, "tcp_port": 0, "use_ice_lite": True}
#: A client that sent nothing for so long, and was sent nothing, is gone.
IDLE_S = 60.0
_LARGEST_PACKET_BYTES = 65_535
#: Room for what arrives while this process does something else: about a second of ten calls.
_BUFFER_BYTES = 4 * 1024 * 1024
#: So many in a row, then others have their turn.
_PACKETS_AT_ONCE = 64


@dataclass(slots=True, kw_only=True)
class Count:
    """What came from one side."""

    packets: int = 0
    dropped: int = 0
    #: Not dropped by the dice: there was no room on the way out.
    stuck: int = 0

    @property
    def share(self) -> float:
        """How much of it was dropped; 0 of nothing."""
        return self.dropped / self.packets if self.packets else 0.0


@dataclass(slots=True, kw_only=True)
class _Client:
    """The way to the server of one client, and when it was last used."""

    back: socket.socket
    used_at: float


class LossyUdp:
    """The link. `loss` may be changed at any time: 0 loses nothing, 1 everything."""

    def __init__(self, server: Address, *, loss: float, seed: int, idle_s: float) -> None:
        self.loss = loss
        self.to_server, self.to_clients = Count(), Count()
        self._server, self._idle_s = server, idle_s
        self._dice = random.Random(seed)  # noqa: S311 - no secret
        self._clients: dict[Address, _Client] = {}
        self._front: socket.socket | None = None

    @property
    def clients(self) -> int:
        """How many are known."""
        return len(self._clients)

    @property
    def address(self) -> Address:
        """Where it listens."""
        assert self._front is not None, "not open"
        host, port = self._front.getsockname()
        return host, port

    def open(self, front: Address) -> None:
        """Listen for clients. Raises OSError where that address cannot be had."""
        self._front = _bound(front)
        asyncio.get_running_loop().add_reader(self._front, self._take, self._front)

    def close(self) -> None:
        """Close all sockets; what is on its way is lost."""
        loop = asyncio.get_running_loop()
        for client in [*self._clients]:
            self._forget(client)
        if self._front is not None:
            loop.remove_reader(self._front)
            self._front.close()
            self._front = None

    async def forget_idle_clients(self) -> None:
        """Close the sockets of clients that are gone, until cancelled."""
        while True:
            await asyncio.sleep(self._idle_s / 4)
            since = time.monotonic() - self._idle_s
            for address in [one for one, known in self._clients.items() if known.used_at < since]:
                self._forget(address)

    def _forget(self, address: Address) -> None:
        client = self._clients.pop(address)
        asyncio.get_running_loop().remove_reader(client.back)
        client.back.close()

    def _known(self, address: Address) -> _Client:
        client = self._clients.get(address)
        if client is None:
            back = _bound((self._server[0], 0))
            client = self._clients[address] = _Client(back=back, used_at=0.0)
            loop = asyncio.get_running_loop()
            loop.add_reader(back, partial(self._bring, back, address))
        client.used_at = time.monotonic()
        return client

    def _take(self, front: socket.socket) -> None:
        """Pass on what clients have sent."""
        for packet, address in _arrived(front):
            self._pass(self.to_server, self._known(address).back, packet, self._server)

    def _bring(self, back: socket.socket, address: Address) -> None:
        """Pass on what the server has sent to a client."""
        for packet, sender in _arrived(back):
            if sender != self._server or self._front is None:
                continue  # nobody else knows that socket, or is meant
            self._clients[address].used_at = time.monotonic()
            self._pass(self.to_clients, self._front, packet, address)

    def _pass(self, count: Count, way: socket.socket, packet: bytes, target: Address) -> None:
        count.packets += 1
        if self._dice.random() < self.loss:
            count.dropped += 1
            return
        try:
            way.sendto(packet, target)
        except BlockingIOError:
            count.stuck += 1


@asynccontextmanager
async def lossy_udp(
    *, server: Address, front: Address, loss: float = 0.01, seed: int = 1, idle_s: float = IDLE_S
) -> AsyncIterator[LossyUdp]:
    """Carry packets until the block is left. Raises OSError where `front` cannot be had."""
    link = LossyUdp(server, loss=loss, seed=seed, idle_s=idle_s)
    link.open(front)
    broom = asyncio.create_task(link.forget_idle_clients(), name="lossy udp forgets")
    try:
        yield link
    finally:
        broom.cancel()
        await asyncio.wait({broom})
        link.close()


def _arrived(way: socket.socket) -> Iterator[tuple[bytes, Address]]:
    """Return the packets that are there, so many at most that others have their turn."""
    for _ in range(_PACKETS_AT_ONCE):
        try:
            packet, (host, port) = way.recvfrom(_LARGEST_PACKET_BYTES)
        except BlockingIOError:
            return
        yield packet, (host, port)


def _bound(address: Address) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            bound.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
