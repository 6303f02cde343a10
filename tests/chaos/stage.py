"""A whole fleet of processes on this machine, to which a story may do anything.

    two token servers -- proxy -- Redis (AOF) -- proxy -- two workers
            |                                                  |
            +-- proxy -- LiveKit (and its webhooks back) ------+

All settings of the product are its defaults, since those are what is promised (services.py). Media
and the workers' own connections to LiveKit pass no proxy, where there is one livekit-server. With
several there is a door to each, as a balancer would have: who is refused there comes in by another.

One stage serves the stories of a module, and `restore` comes between them. It lives on a loop of
its own, in a thread: whatever a story does to its loop, the stage goes on.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports, free_port, random_ports
from sessions.settings import StoreSettings
from tests.chaos.gates import Gate, Gatehouse
from tests.chaos.parts import Part, PartDied, WorkerPart
from tests.chaos.services import Differences, Services
from tests.chaos.webhooks import Forwarder, Mail
from tests.support.fault_proxy import Fault
from tests.support.logs import add_log, forget_logs
from tests.support.loops import BackgroundLoop
from tests.support.provider import Provider, provider
from tests.support.replicas import store_settings
from tests.support.servers import START_ATTEMPTS

_STOPS_WITHIN_S = 5.0
#: What the agent answers, whatever was said to it; about two seconds.
REPLY = "Yes, I am here, and I listen to you."


class Stage:
    """The processes, what is between them, and where everything is; whole once it was started."""

    servers_redis: Gate
    workers_redis: Gate
    servers_livekit: Gate
    servers: list[Part]
    workers: list[WorkerPart]

    def __init__(
        self, folder: Path, loop: BackgroundLoop, models: Provider, differences: Differences
    ) -> None:
        ports = random_ports()
        self._taken: list[int] = [getattr(ports, name) for name in Ports.__dataclass_fields__]
        self.loop, self.provider, self.differences = loop, models, differences
        self.keys = Keys.generate()
        self.services = Services(
            folder=folder,
            ports=ports,
            more_nodes=[self._like(ports) for _ in range(differences.nodes - 1)],
            keys=self.keys,
            models_url=models.url,
            differences=differences,
        )
        self._gatehouse = Gatehouse(loop)
        self.webhooks = Forwarder(self._free_port(), self._server_urls)
        self.redis = Part(self.services.redis(), loop)
        #: The livekit-servers.
        self.nodes = [Part(one, loop) for one in self.services.nodes(self.webhooks.url)]
        #: One to each of these, where there are several.
        self.doors = list[Gate]()
        self.servers, self.workers = [], []

    @property
    def parts(self) -> Sequence[Part]:
        """All processes, in the order in which they need each other."""
        return [*self.neighbours, *self.servers, *self.workers]

    @property
    def neighbours(self) -> Sequence[Part]:
        """The processes that are not ours: Redis, if this stage has one, and LiveKit."""
        is_elsewhere = self.differences.redis_url is not None and len(self.nodes) == 1
        return [*([] if is_elsewhere else [self.redis]), *self.nodes]

    @property
    def livekit(self) -> Part:
        """The livekit-server, or the first of them."""
        return self.nodes[0]

    @property
    def gates(self) -> Sequence[Gate]:
        """All proxies."""
        return [self.servers_redis, self.workers_redis, self.servers_livekit, *self.doors]

    @property
    def livekit_url(self) -> str:
        """LiveKit as users and workers reach it; the last of its doors."""
        return self.door_url(len(self.nodes) - 1)

    def door_url(self, number: int) -> str:
        """Return LiveKit as one of several reaches it: by the first door, the second, and on."""
        if not self.doors:
            return self.services.livekit_url
        return f"ws://{LOOPBACK}:{self.doors[number % len(self.doors)].port}"

    def store_settings(self) -> StoreSettings:
        """Return the settings of the store, past the proxies."""
        return store_settings(self.services.common() | {"REDIS_URL": self.services.redis_url})

    def worker_of(self, worker_id: str | None) -> WorkerPart:
        """Return the worker that the store calls so."""
        return next(worker for worker in self.workers if worker.id == worker_id)

    async def restore(self) -> None:
        """Have everything run as at the beginning, whatever a story did to it."""
        for gate in self.gates:
            await gate.switch(Fault.PASS)
        self.webhooks.mail = Mail.PASS
        self.provider.reply, self.provider.trouble = REPLY, {}
        self.provider.asked.clear()
        for part in self.neighbours:
            await part.restore()
        await asyncio.gather(*(part.restore() for part in (*self.servers, *self.workers)))

    async def restart_livekit(self, number: signal.Signals) -> tuple[float, float]:
        """Kill LiveKit, or ask it to stop first, and start it; return when it was gone, and back.

        Asked, it would stop when the last call is over: operators' tools lose patience.
        """
        self.livekit.signal(number)
        if number is not signal.SIGKILL:
            with suppress(TimeoutError):
                await self.livekit.gone(_STOPS_WITHIN_S)
        await self.livekit.kill()
        gone_at = time.monotonic()
        await self.livekit.start()
        return gone_at, time.monotonic()

    async def start_here(self) -> None:
        """Start everything; raises PartDied where a port was taken meanwhile. On its own loop."""
        await self._open_gates()
        await self.webhooks.start_here()
        # They take longest, and wait by themselves for what they need.
        for worker in self.workers:
            await worker.launch_here()
        # Nodes that find no Redis would end.
        for part in self.neighbours:
            await part.start_here()
        await asyncio.gather(*(server.start_here() for server in self.servers))
        await asyncio.gather(*(worker.ready_here() for worker in self.workers))

    async def _open_gates(self) -> None:
        """Have the proxies, and so the addresses of what is behind them."""
        services = self.services
        redis, nodes = [services.ports.redis], services.node_ports
        turned = [nodes[number:] + nodes[:number] for number in range(len(nodes))]
        #: Redis as the token servers reach it, Redis as the workers do, LiveKit's server API.
        gates = await self._gatehouse.start_here(
            [redis, redis, nodes, *(turned if len(nodes) > 1 else [])]
        )
        self.servers_redis, self.workers_redis, self.servers_livekit, *self.doors = gates
        for number in range(self.differences.servers):
            server = services.server(
                number,
                self._free_port(),
                redis_port=self.servers_redis.port,
                livekit_port=self.servers_livekit.port,
                public_url=self.door_url(number),
            )
            self.servers.append(Part(server, self.loop))
        for number in range(self.differences.workers):
            worker = services.worker(
                number,
                self._free_port(),
                redis_port=self.workers_redis.port,
                livekit_url=self.door_url(number),
            )
            self.workers.append(WorkerPart(worker, self.loop))

    def _free_port(self) -> int:
        """Return a port that nothing else of this stage has."""
        self._taken.append(free_port(avoid=self._taken))
        return self._taken[-1]

    def _like(self, ports: Ports) -> Ports:
        """Return the ports of one more livekit-server."""
        livekit, tcp, udp = (self._free_port() for _ in range(3))
        return replace(ports, livekit=livekit, livekit_tcp=tcp, livekit_udp=udp)

    async def close_here(self) -> None:
        """Leave nothing behind. On its own loop."""
        await asyncio.gather(*(part.end_here() for part in self.parts))
        await self._gatehouse.close_here()
        await self.webhooks.close_here()

    def _server_urls(self) -> list[str]:
        return [server.url for server in self.servers if server.is_up]


@contextmanager
def standing_stage(folder: Path, differences: Differences | None = None) -> Iterator[Stage]:
    """Run a stage until the block is left, as usual but for some differences."""
    with BackgroundLoop() as loop:
        cleanup = AsyncExitStack()
        try:
            models = loop.run(cleanup.enter_async_context(provider()))
            models.reply = REPLY
            stage = _started(
                lambda number: Stage(
                    folder / str(number), loop, models, differences or Differences()
                ),
                cleanup,
            )
            forget_logs("stage")
            for part in stage.parts:
                add_log("stage", part.log)
            yield stage
        finally:
            loop.run(cleanup.aclose())


def _started(make: Callable[[int], Stage], cleanup: AsyncExitStack) -> Stage:
    """Start a stage; on other ports when somebody else was quicker to bind."""
    for attempt in range(1, START_ATTEMPTS + 1):
        stage = make(attempt)
        cleanup.push_async_callback(stage.close_here)
        try:
            stage.loop.run(stage.start_here())
        except PartDied as error:
            if not error.is_for_its_port or attempt == START_ATTEMPTS:
                raise
        else:
            return stage
    raise AssertionError("every attempt ends above")
