"""A whole fleet of processes on this machine, to which a story may do anything.

    two token servers -- proxy -- Redis (AOF) -- proxy -- two workers
            |                                                  |
            +-- proxy -- LiveKit (and its webhooks back) ------+

All settings of the product are its defaults, since those are what is promised (services.py). Media
and the workers' own connections to LiveKit pass no proxy.

One stage serves the stories of a module, and `restore` comes between them. It lives on a loop of
its own, in a thread: whatever a story does to its loop, the stage goes on.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

from devstack.services.keys import Keys
from devstack.services.ports import Ports, free_port, random_ports
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

_SERVERS = _WORKERS = 2
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
        taken = [getattr(ports, name) for name in Ports.__dataclass_fields__]
        self._free = list[int]()
        while len(self._free) < _SERVERS + _WORKERS + 1:
            self._free.append(free_port(avoid=[*taken, *self._free]))
        self.loop, self.provider = loop, models
        self.keys = Keys.generate()
        self.services = Services(
            folder=folder,
            ports=ports,
            keys=self.keys,
            models_url=models.url,
            differences=differences,
        )
        self._gatehouse = Gatehouse(loop)
        self.webhooks = Forwarder(self._free.pop(), self._server_urls)
        self.redis = Part(self.services.redis(), loop)
        self.livekit = Part(self.services.livekit(self.webhooks.url), loop)
        self.servers, self.workers = [], []

    @property
    def parts(self) -> Sequence[Part]:
        """All processes, in the order in which they need each other."""
        return [self.redis, self.livekit, *self.servers, *self.workers]

    @property
    def gates(self) -> Sequence[Gate]:
        """All proxies."""
        return [self.servers_redis, self.workers_redis, self.servers_livekit]

    @property
    def livekit_url(self) -> str:
        """LiveKit as users and workers reach it."""
        return self.services.livekit_url

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
        for part in (self.redis, self.livekit):
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
        await asyncio.gather(self.redis.start_here(), self.livekit.start_here())
        await asyncio.gather(*(server.start_here() for server in self.servers))
        await asyncio.gather(*(worker.ready_here() for worker in self.workers))

    async def _open_gates(self) -> None:
        """Have the proxies, and so the addresses of what is behind them."""
        ports, services = self.services.ports, self.services
        #: Redis as the token servers reach it, Redis as the workers do, LiveKit's server API.
        gates = await self._gatehouse.start_here([ports.redis, ports.redis, ports.livekit])
        self.servers_redis, self.workers_redis, self.servers_livekit = gates
        for number in range(_SERVERS):
            server = services.server(
                number,
                self._free.pop(),
                redis_port=self.servers_redis.port,
                livekit_port=self.servers_livekit.port,
            )
            self.servers.append(Part(server, self.loop))
        for number in range(_WORKERS):
            port, redis_port = self._free.pop(), self.workers_redis.port
            worker = services.worker(number, port, redis_port=redis_port)
            self.workers.append(WorkerPart(worker, self.loop))

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
