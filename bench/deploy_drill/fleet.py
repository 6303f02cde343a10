"""The fleet of the drill: what stays, and the processes of ours that are replaced."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.deploy_drill.balancer import Balancer, running_balancer
from bench.deploy_drill.replicas import Kind, Replica, Unfit
from bench.deploy_drill.versions import Version
from bench.neighbours import Neighbours, running_neighbours
from bench.race.provider import running_provider
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command, RunningProcess
from devstack.services.stack import BIND_FAILED
from devstack.settings import bare_environment
from sessions.store import SessionStore

REPLICAS = 2
_MODULES = {Kind.TOKENS: "tokenserver", Kind.WORKER: "worker"}
_PORTS = {Kind.TOKENS: "TOKENSERVER_PORT", Kind.WORKER: "WORKER_PORT"}
#: All users of the drill have one address.
_LIMITS = ("START_LIMIT", "ALL_STARTS", "TOKEN_LIMIT", "READ_LIMIT", "ADMIN_LIMIT")
_NO_LIMIT = "100000"
_MODELS = ("OPENAI_BASE_URL", "STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL")
_ATTEMPTS = 5
#: For one that never served.
_UNFIT_GRACE_S = 10.0
#: Four processes start at the same time.
_FIRST_WITHIN_S = 180.0


@dataclass(slots=True, kw_only=True)
class Fleet:
    """What users call, and what a deployer replaces. All settings not named here are defaults."""

    folder: Path
    balancer: Balancer
    #: LiveKit's webhooks come by an address of their own, so that users are served in turns.
    webhooks: Balancer
    store: SessionStore
    settings: Mapping[str, str] = field(repr=False)
    #: All there ever were, in the order in which they were started.
    replicas: list[Replica] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def launch(self, kind: Kind, version: Version) -> Replica:
        """Start a process, and do not wait for it; a balancer is told of a token server."""
        port = free_port()
        name = f"{_MODULES[kind]}-{next(self._numbers)}"
        # Whatever a worker puts there is gone with the folder.
        runtime = self.folder / name
        runtime.mkdir(exist_ok=True)
        own = {_PORTS[kind]: str(port), "XDG_RUNTIME_DIR": str(runtime)}
        command = Command(
            name=name,
            argv=(sys.executable, "-m", _MODULES[kind]),
            env={**self.settings, **own, **version.settings},
            log=self.folder / f"{name}.log",
            cwd=version.folder,
        )
        replica = Replica(
            kind=kind,
            version=version,
            port=port,
            url=f"http://{LOOPBACK}:{port}",
            process=await RunningProcess.start(command),
            began_at=time.monotonic(),
        )
        self.replicas.append(replica)
        if kind is Kind.TOKENS:
            self.balancer.watch(port)
            self.webhooks.watch(port)
        return replica

    async def start(self, kind: Kind, version: Version, within_s: float) -> Replica:
        """Start a process that is ready within that time, else there is none. Raises Unfit."""
        for attempt in range(1, _ATTEMPTS + 1):
            replica = await self.launch(kind, version)
            try:
                await replica.until_ready(within_s)
            except Unfit as error:
                replica.tell_to_go()
                await self.remove(replica, _UNFIT_GRACE_S)
                # Somebody else was quicker to bind; no version can help that.
                if attempt == _ATTEMPTS or not BIND_FAILED.search(error.log_tail):
                    raise
            else:
                return replica
        raise AssertionError("the last attempt returns or raises")

    async def remove(self, replica: Replica, grace_s: float) -> bool:
        """Wait for the end of a process, and kill it after that; say whether it went by itself."""
        went = await replica.until_gone(grace_s)
        self.balancer.forget(replica.port)
        self.webhooks.forget(replica.port)
        return went

    def of(self, kind: Kind) -> list[Replica]:
        """Return the processes of a service that run, and were not told to go."""
        return [
            one
            for one in self.replicas
            if one.kind is kind and one.is_alive and one.told_at is None
        ]

    def worker(self, worker_id: str) -> Replica | None:
        """Return the worker that the fleet calls so."""
        return next((one for one in self.replicas if one.worker_id == worker_id), None)

    async def serving(self, kind: Kind) -> str:
        """Ask all processes of a service which version serves, and count: "2 x 0.1.0"."""
        mine = [one for one in self.replicas if one.kind is kind]
        said = await asyncio.gather(*(one.version_served() for one in mine))
        counts = Counter(version for version in said if version is not None)
        return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "none"

    def kill(self) -> None:
        """End all that is left at once."""
        for one in self.replicas:
            one.process.kill()

    async def aclose(self) -> None:
        """Leave no process behind."""
        self.kill()
        await asyncio.gather(*(one.process.exited for one in self.replicas))


@asynccontextmanager
async def running_fleet(
    env: Mapping[str, str], folder: Path, version: Version, settings: Mapping[str, str]
) -> AsyncIterator[Fleet]:
    """Run two of each until the block is left, with these settings. Raises ToolMissing, Unfit."""
    async with AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(running_balancer())
        webhooks = await stack.enter_async_context(running_balancer())
        neighbours = await stack.enter_async_context(
            running_neighbours(env, folder, webhook_url=f"{webhooks.url}/livekit/webhook")
        )
        provider = running_provider(sys.executable, bare_environment(env), folder)
        models = await stack.enter_async_context(provider)
        common = _common(env, neighbours, models, folder)
        fleet = Fleet(
            folder=folder,
            balancer=balancer,
            webhooks=webhooks,
            store=neighbours.store,
            settings={**common, **settings},
        )
        stack.push_async_callback(fleet.aclose)
        await asyncio.gather(
            *(fleet.start(kind, version, _FIRST_WITHIN_S) for kind in Kind for _ in range(REPLICAS))
        )
        yield fleet


def _common(
    env: Mapping[str, str], neighbours: Neighbours, models_url: str, folder: Path
) -> dict[str, str]:
    """Return what token servers and workers are told alike; nothing of `.env` takes part."""
    names = ("REDIS_URL", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
    return {
        **bare_environment(env),
        **{name: neighbours.variables[name] for name in names},
        **dict.fromkeys(_MODELS, models_url),
        **{f"{name}_PER_MINUTE": _NO_LIMIT for name in _LIMITS},
        "WATCHERS_PER_ADDRESS": "1000",
        "OPENAI_API_KEY": "unset",
        "AGENT_NAME": f"drill-{secrets.token_hex(4)}",
        "GREETING_CACHE_DIR": str(folder / "clips"),
        # By default it is a model: several seconds of work for each worker that starts.
        "TURN_DETECTION": "vad",
        "PYTHONUNBUFFERED": "1",
    }
