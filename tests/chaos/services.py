"""The processes of a stage as data: all settings are the product's own, but for addresses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, kw_only=True)
class Services:
    """Describes the processes of one stage."""

    folder: Path
    ports: Ports
    keys: Keys
    models_url: str
    differences: Differences

    @property
    def livekit_url(self) -> str:
        """LiveKit, past the proxies."""
        return f"ws://{LOOPBACK}:{self.ports.livekit}"

    @property
    def redis_url(self) -> str:
        """Redis, past the proxies."""
        return f"redis://{LOOPBACK}:{self.ports.redis}/0"

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

    def livekit(self, webhook_url: str) -> Service:
        """Describe a livekit-server."""
        return livekit_service(
            program(LIVEKIT),
            ports=self.ports,
            keys=self.keys,
            run_dir=self.folder,
            env=process_environment(),
            webhook_url=webhook_url,
        )

    def server(self, number: int, port: int, *, redis_port: int, livekit_port: int) -> Service:
        """Describe a token server, which reaches its neighbours through proxies."""
        variables = {
            "TOKENSERVER_PORT": str(port),
            "REDIS_URL": f"redis://{LOOPBACK}:{redis_port}/0",
            "LIVEKIT_URL": f"http://{LOOPBACK}:{livekit_port}",
            "LIVEKIT_PUBLIC_URL": self.livekit_url,
            "ADMIN_API_KEY": self.keys.admin_key,
            **self.differences.of_servers,
        }
        return self._ours(f"tokenserver-{number}", ("tokenserver",), port, variables)

    def worker(self, number: int, port: int, *, redis_port: int) -> Service:
        """Describe a worker, which reaches Redis through a proxy."""
        tools = self.folder / "tools"
        tools.mkdir(parents=True, exist_ok=True)
        (tools / "think.py").write_text(_TOOL)
        variables = {
            "WORKER_PORT": str(port),
            "REDIS_URL": f"redis://{LOOPBACK}:{redis_port}/0",
            "LIVEKIT_URL": self.livekit_url,
            "OPENAI_BASE_URL": self.models_url,
            "GREETING_CACHE_DIR": str(self.folder / "greetings"),
            "TOOLS_DIR": str(tools),
            **self.differences.of_workers,
        }
        return self._ours(f"worker-{number}", ("worker",), port, variables)

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
