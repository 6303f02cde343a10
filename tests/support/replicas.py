"""Token servers of a test's own: processes that it may signal, stop and start again.

All of one test share a Redis prefix, as the servers behind one balancer do. LiveKit is the one of
the folder's `livekit_server`; its webhooks reach a server only on the port that they go to.

A server takes a second of work to start. Tests that leave it as it was share one per module: its
`standing` is a `standing_server`, and each test cleans up with `nobody_left`.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from devstack.services.ports import Ports, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.plain import NO_TLS
from tests.support.servers import LiveKitServer, RedisServer, neutral_environment, running
from tests.support.wait import eventually

ADMIN_KEY = "an-admin-key-for-tests-only"
READY_S = 60.0
EXIT_S = 30.0


@dataclass
class Replica:
    """One `python -m tokenserver`."""

    port: int
    log: Path
    env: Mapping[str, str] = field(repr=False)
    #: What answers 200 once it is up: with neighbours that refuse it, it is never ready.
    until: str = "readyz"
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it listens, the same after a restart."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tokenserver"),
                cwd=REPO,
                env=self.env,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
        await eventually(self._is_ready, READY_S, message=f"{self.url} is ready")

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def exit_status(self) -> int:
        """Wait for its end, which somebody asked for."""
        assert self.process is not None
        async with asyncio.timeout(EXIT_S):
            return await self.process.wait()

    async def kill(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            pytest.fail(f"the token server ended: {self.log.read_text()[-2000:]}")
        try:
            async with httpx2.AsyncClient(base_url=self.url, timeout=5, verify=NO_TLS) as http:
                return (await http.get(f"/{self.until}")).status_code == 200
        except httpx2.TransportError:
            return False


@dataclass
class Replicas:
    """Starts token servers, and remembers them."""

    env: dict[str, str] = field(repr=False)
    logs: Path
    cleanup: AsyncExitStack

    async def start(
        self, port: int | None = None, /, *, until: str = "readyz", **changes: str
    ) -> Replica:
        """Start a server with some variables changed."""
        port = port or free_port()
        env = self.env | changes | {"TOKENSERVER_PORT": str(port)}
        replica = Replica(port, self.logs / f"tokenserver-{port}.log", env, until)
        self.cleanup.push_async_callback(replica.kill)
        await replica.start()
        return replica

    async def http(self, replica: Replica) -> httpx2.AsyncClient:
        """Return a client of a server, which is closed after the test."""
        client = httpx2.AsyncClient(base_url=replica.url, timeout=40, verify=NO_TLS)
        return await self.cleanup.enter_async_context(client)

    async def store(self) -> SessionStore:
        """Return the store that the servers share, with their limits."""
        settings = self.store_settings()
        redis = connect(settings, Temper.PATIENT)
        self.cleanup.push_async_callback(redis.aclose)
        return SessionStore(redis, settings)

    def store_settings(self) -> StoreSettings:
        return store_settings(self.env)


def store_settings(env: Mapping[str, str]) -> StoreSettings:
    """Return the settings of the store of a server that has this environment."""
    fields = StoreSettings.model_fields
    known = {name.lower(): value for name, value in env.items() if name.lower() in fields}
    return StoreSettings.model_validate(known)


@pytest.fixture
async def replicas(
    redis_server: RedisServer, livekit_server: LiveKitServer, tmp_path: Path
) -> AsyncIterator[Replicas]:
    """What a test needs to start token servers; stops all of them at its end."""
    async with AsyncExitStack() as cleanup:
        yield Replicas(replica_environment(redis_server, livekit_server), tmp_path, cleanup)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A token server that many tests share, and leave as it was."""

    url: str
    env: Mapping[str, str] = field(repr=False)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[SessionStore]:
        """Yield its store, with its limits."""
        settings = store_settings(self.env)
        async with aclosing(connect(settings, Temper.PATIENT)) as redis:
            yield SessionStore(redis, settings)


@contextmanager
def standing_server(
    redis_server: RedisServer, livekit_server: LiveKitServer, logs: Path, **changes: str
) -> Iterator[Standing]:
    """Run a token server for many tests."""
    env = replica_environment(redis_server, livekit_server) | changes

    def describe(ports: Ports) -> list[Service]:
        url = f"http://127.0.0.1:{ports.tokenserver}"
        command = Command(
            name="tokenserver",
            argv=(sys.executable, "-m", "tokenserver"),
            env=env | {"TOKENSERVER_PORT": str(ports.tokenserver)},
            log=logs / "tokenserver.log",
            cwd=REPO,
        )
        return [Service(command=command, url=url, ready=http_ok(f"{url}/readyz"))]

    with running(describe, "standing") as (stack, _):
        yield Standing(url=stack.services[0].url, env=env)


@asynccontextmanager
async def nobody_left(server: Standing) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a server; whoever talks or waits there at the end is stopped."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=40, verify=NO_TLS) as http:
        yield http
        http.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        for state in ("queued", "live"):  # who waits first, so that they get no slot meanwhile
            left = await http.get("/api/sessions", params={"state": state, "limit": 200})
            for session in left.raise_for_status().json()["sessions"]:
                stopped = await http.post(f"/api/session/{session['sessionId']}/stop")
                stopped.raise_for_status()


def replica_environment(redis_server: RedisServer, livekit_server: LiveKitServer) -> dict[str, str]:
    """Return what a token server is told, except for its port; the prefix is a new one."""
    return neutral_environment() | {
        "REDIS_URL": redis_server.url,
        "REDIS_PREFIX": f"test-{secrets.token_hex(6)}",
        "LIVEKIT_URL": livekit_server.url,
        "LIVEKIT_API_KEY": livekit_server.api_key,
        "LIVEKIT_API_SECRET": livekit_server.api_secret,
        # Nobody's calls but those of the test.
        "AGENT_NAME": f"agent-{secrets.token_hex(4)}",
        "ADMIN_API_KEY": ADMIN_KEY,
        "MAX_SESSIONS": "1",
        "TICKET_TTL_S": "60",
        # Most tests have no agents: their sessions are to hold their slots nevertheless.
        "START_LEASE_S": "120",
        "CLAIM_DEADLINE_S": "60",
        "AGENT_LEASE_S": "2",
        "SWEEP_INTERVAL_S": "0.2",
        "SHUTDOWN_DELAY_S": "0",
        **dict.fromkeys(
            ("START_LIMIT_PER_MINUTE", "TOKEN_LIMIT_PER_MINUTE", "READ_LIMIT_PER_MINUTE"), "100000"
        ),
    }
