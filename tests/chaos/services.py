"""The processes of a stage as data: all settings are the product's own, but for addresses."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import REPO, process_environment
from tests.chaos.clocks import Clocks
from tests.support.servers import neutral_environment, program

#: What the model is scripted to call; it blocks the loop of its agent.
BLOCKING_TOOL = "think_hard"
BLOCKED_S = 20
_TOOL = f'''
import time

async def {BLOCKING_TOOL}() -> str:
    """Think about it, and let nobody else have a turn."""
    time.sleep({BLOCKED_S})
    return "done"
'''
#: All users of the stories have one address.
_LIMITS = ("START_LIMIT", "ALL_STARTS", "TOKEN_LIMIT", "READ_LIMIT", "ADMIN_LIMIT")
_NO_LIMIT = "100000"
_READY_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What is not as usual on a stage."""

    #: What moves the clocks of our own processes.
    clocks: Clocks | None = None
    #: What workers are told besides.
    of_workers: Mapping[str, str] = field(default_factory=dict)
    #: The same for token servers.
    of_servers: Mapping[str, str] = field(default_factory=dict)
    #: livekit-servers. Several are one, joined by the Redis of the stage.
    nodes: int = 1
    servers: int = 2
    workers: int = 2
    #: Where sessions are, if not in the Redis of the stage. No proxy leads there.
    redis_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Services:
    """Describes the processes of one stage."""

    folder: Path
    ports: Ports
    #: Those of the livekit-servers behind the first; nothing else of them is in use.
    more_nodes: Sequence[Ports] = ()
    keys: Keys
    models_url: str
    differences: Differences

    @property
    def livekit_url(self) -> str:
        """LiveKit's first node, past the proxies."""
        return f"ws://{LOOPBACK}:{self.ports.livekit}"

    @property
    def redis_url(self) -> str:
        """Redis, past the proxies."""
        return self._redis_at(self.ports.redis)

    @property
    def node_ports(self) -> list[int]:
        """Where each livekit-server listens."""
        return [ports.livekit for _, ports in self._names_of_nodes()]

    def common(self) -> dict[str, str]:
        """Return what token servers and workers are told alike."""
        return neutral_environment() | {
            "LIVEKIT_API_KEY": self.keys.livekit_api_key,
            "LIVEKIT_API_SECRET": self.keys.livekit_api_secret,
            **{f"{name}_PER_MINUTE": _NO_LIMIT for name in _LIMITS},
            "WATCHERS_PER_ADDRESS": "1000",
            "PYTHONUNBUFFERED": "1",
        }

    def redis(self) -> Service:
        """Describe a Redis that keeps its data."""
        env = process_environment()
        return redis_service(program(REDIS), port=self.ports.redis, run_dir=self.folder, env=env)

    def nodes(self, webhook_url: str) -> list[Service]:
        """Describe the livekit-servers."""
        joined = {"redis": {"address": f"{LOOPBACK}:{self.ports.redis}"}}
        return [
            self._node(name, ports, webhook_url, joined if self.more_nodes else None)
            for name, ports in self._names_of_nodes()
        ]

    def server(
        self, number: int, port: int, *, redis_port: int, livekit_port: int, public_url: str
    ) -> Service:
        """Describe a token server, which reaches its neighbours through proxies."""
        variables = {
            "TOKENSERVER_PORT": str(port),
            "REDIS_URL": self._redis_at(redis_port),
            "LIVEKIT_URL": f"http://{LOOPBACK}:{livekit_port}",
            "LIVEKIT_PUBLIC_URL": public_url,
            "ADMIN_API_KEY": self.keys.admin_key,
            **self.differences.of_servers,
        }
        return self._ours(f"tokenserver-{number}", ("tokenserver",), port, variables)

    def worker(self, number: int, port: int, *, redis_port: int, livekit_url: str) -> Service:
        """Describe a worker, which reaches Redis through a proxy."""
        tools = self.folder / "tools"
        tools.mkdir(parents=True, exist_ok=True)
        (tools / "think.py").write_text(_TOOL)
        variables = {
            "WORKER_PORT": str(port),
            "REDIS_URL": self._redis_at(redis_port),
            "LIVEKIT_URL": livekit_url,
            "OPENAI_BASE_URL": self.models_url,
            "GREETING_CACHE_DIR": str(self.folder / "greetings"),
            "TOOLS_DIR": str(tools),
            **self.differences.of_workers,
        }
        return self._ours(f"worker-{number}", ("worker",), port, variables)

    def _redis_at(self, port: int) -> str:
        return self.differences.redis_url or f"redis://{LOOPBACK}:{port}/0"

    def _names_of_nodes(self) -> Iterator[tuple[str, Ports]]:
        yield "livekit", self.ports
        for number, ports in enumerate(self.more_nodes, start=1):
            yield f"livekit-{number}", ports

    def _node(
        self, name: str, ports: Ports, webhook_url: str, sections: Mapping[str, object] | None
    ) -> Service:
        service = livekit_service(
            program(LIVEKIT),
            ports=ports,
            keys=self.keys,
            run_dir=self.folder / name,
            env=process_environment(),
            webhook_url=webhook_url,
            sections=sections,
        )
        return replace(service, command=replace(service.command, name=name))

    def _clock(self, name: str) -> Mapping[str, str]:
        clocks = self.differences.clocks
        return {} if clocks is None else clocks.variables(name)

    def _ours(
        self, name: str, module: tuple[str, ...], port: int, variables: Mapping[str, str]
    ) -> Service:
        url = f"http://{LOOPBACK}:{port}"
        command = Command(
            name=name,
            argv=(sys.executable, "-m", *module),
            env={**self.common(), **variables, **self._clock(name)},
            log=self.folder / "logs" / f"{name}.log",
            cwd=REPO,
        )
        ready = http_ok(f"{url}/readyz")
        return Service(command=command, url=url, ready=ready, ready_within_s=_READY_S)
