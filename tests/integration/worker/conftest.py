"""A real worker process, its neighbours, and calls to it."""

from __future__ import annotations

import gc
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from livekit import api
from pydantic import SecretStr

from devstack.services.ports import LOOPBACK, Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.worker.fleet import READY_S, Fleet, Worker, WorkerProcess
from tests.integration.worker.scribes import Desk, opened
from tests.support.logs import forget_logs
from tests.support.provider import Provider
from tests.support.provider import provider as serving_provider
from tests.support.servers import LiveKitServer, RedisServer, neutral_environment, running


@pytest.fixture(scope="session")
def localvoice_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Speech models on the CPU."""
    logs = tmp_path_factory.mktemp("localvoice")

    def describe(ports: Ports) -> list[Service]:
        url = f"http://{LOOPBACK}:{ports.localvoice}"
        command = Command(
            name="localvoice",
            argv=(sys.executable, "-m", "localvoice", "--port", str(ports.localvoice)),
            env=neutral_environment() | {"LOCALVOICE_QUEUE_TIMEOUT_S": "60"},
            log=logs / "localvoice.log",
            cwd=REPO,
        )
        return [
            Service(command=command, url=url, ready=http_ok(f"{url}/readyz"), ready_within_s=120)
        ]

    with running(describe, "localvoice_url") as (stack, _):
        yield stack.services[0].url


@pytest.fixture(scope="module")
def settings(redis_server: RedisServer) -> StoreSettings:
    return StoreSettings(
        redis_url=SecretStr(redis_server.url),
        redis_prefix=f"test-{secrets.token_hex(6)}",
        # One user starts as many as the tests need.
        user_starts_per_minute=0,
    )


@pytest.fixture(scope="module")
def environment(
    settings: StoreSettings, livekit_server: LiveKitServer, localvoice_url: str, greetings: Path
) -> dict[str, str]:
    """What a worker is told, except for its port and its name."""
    return neutral_environment() | {
        "GREETING_CACHE_DIR": str(greetings),
        "HEARTBEAT_INTERVAL_S": "0.5",
        "LIVEKIT_API_KEY": livekit_server.api_key,
        "LIVEKIT_API_SECRET": livekit_server.api_secret,
        "LIVEKIT_URL": livekit_server.url,
        "OPENAI_API_KEY": "local",
        "OPENAI_BASE_URL": f"{localvoice_url}/v1",
        "POOL_SIZE": "1",
        # Of localvoice, on a machine that has other tests to run.
        "PROVIDER_TIMEOUT_S": "30",
        "PYTHONUNBUFFERED": "1",
        # Who leaves in a test does not come back, unless the test says so.
        "USER_GRACE_S": "1",
        "REDIS_PREFIX": settings.redis_prefix,
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "WORKER_HOST": LOOPBACK,
    }


@pytest.fixture(scope="module")
def shared_worker(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """One worker for all tests of a module that leave it as it is."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    agent_name = f"agent-{secrets.token_hex(4)}"

    def describe(ports: Ports) -> list[Service]:
        url = f"http://{LOOPBACK}:{ports.worker}"
        variables = {"WORKER_PORT": str(ports.worker), "AGENT_NAME": agent_name}
        command = Command(
            name="worker",
            argv=(sys.executable, "-m", "worker"),
            env=environment | variables,
            log=log,
            cwd=REPO,
        )
        ready = http_ok(f"{url}/readyz")
        return [Service(command=command, url=url, ready=ready, ready_within_s=READY_S)]

    with running(describe, "shared_worker") as (stack, _):
        yield Worker(stack.services[0].url, log, agent_name)


@pytest.fixture
async def fleet(
    store: SessionStore,
    livekit_server: LiveKitServer,
    environment: dict[str, str],
    tmp_path: Path,
) -> AsyncIterator[Fleet]:
    """What a test needs to start workers and calls; stops all of them at its end."""
    server = livekit_server
    forget_logs("fleet")
    async with (
        AsyncExitStack() as cleanup,
        api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit,
    ):
        yield Fleet(store, livekit, server, environment, tmp_path, cleanup)


@pytest.fixture
async def nothing_before(settings: StoreSettings) -> None:
    """No slot is taken by a session of another test, and none of them is due for an agent."""
    redis = connect(settings, Temper.PATIENT)
    async for name in redis.scan_iter(match=f"{{{settings.redis_prefix}}}:*"):
        await redis.delete(name)
    await redis.aclose()


@pytest.fixture
def worker(fleet: Fleet, shared_worker: Worker) -> Worker:
    """The shared worker, with this test's calls going to it."""
    fleet.agent_name = shared_worker.agent_name
    return shared_worker


@pytest.fixture
async def own_worker(fleet: Fleet) -> WorkerProcess:
    """A worker of this test's own."""
    return await fleet.start_worker()


@pytest.fixture(scope="session")
def greetings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The greeting is made once for all tests, as it is for all starts of a worker."""
    return tmp_path_factory.mktemp("greetings")


@pytest.fixture
def connections_given_up() -> Iterator[None]:
    """Let the garbage collector find them here, not in whichever test comes next.

    asyncio leaves the transport of an attempt that was given up to it (seen with CPython 3.11).
    """
    yield
    gc.collect()


@pytest.fixture
async def desk(
    settings: StoreSettings, store: SessionStore, connections_given_up: None
) -> AsyncIterator[Desk]:
    """A session for its scribes, and a Redis that can be away."""
    del connections_given_up
    async with opened(settings, store) as desk:
        yield desk


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that hears, thinks and speaks what the test wants, and fails as it wants."""
    async with serving_provider() as one:
        yield one
