"""Fixtures: real servers on random ports, one of each per test session.

    def test_something(redis_server: RedisServer, livekit_server: LiveKitServer) -> None: ...

They run in a thread of their own, so tests use them whatever their event loop. Programs are found
as `make run` finds them, `.env` included; nothing else of `.env` takes part. One that is missing
skips the test under plain pytest and fails it where `CI` is set; `make test` installs it first.
The logs of a failed test's servers are shown with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from devstack.errors import PortTaken
from devstack.install.pages import DIST, PAGES_SETTING, are_pages_current
from devstack.install.tools import LIVEKIT, REDIS, Tool, find_tool
from devstack.install.web import WEB
from devstack.services.config import StackConfig
from devstack.services.fleet import fleet_services
from devstack.services.keys import Keys
from devstack.services.ports import Ports, random_ports
from devstack.services.record import StackLock, stack_file
from devstack.services.runner import describe_stack
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import is_set, load_environment, process_environment
from tests.support.logs import register_logs
from tests.support.loops import BackgroundLoop
from tests.support.pages import PageServer

START_ATTEMPTS = 5
NEUTRAL = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "CI", "LD_LIBRARY_PATH", "XDG_CACHE_HOME"}
    | {"VOICEFLEET_CACHE", LIVEKIT.setting, REDIS.setting}
)
"""Variables that say something about the machine and nothing about our services."""


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """A running Redis that belongs to the tests; flush it as you like."""

    url: str
    port: int
    pid: int


@dataclass(frozen=True, kw_only=True)
class LiveKitServer:
    """A running livekit-server.

    It sends webhooks to `webhook_url`, where nobody listens unless a test does.
    """

    url: str
    http_url: str
    api_key: str
    api_secret: str = field(repr=False)
    port: int
    pid: int
    webhook_url: str
    webhook_port: int


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """The whole stack as `make run` starts it, with localvoice; `record` is its stack.json."""

    api_url: str
    admin_key: str = field(repr=False)
    livekit_url: str
    livekit_api_key: str
    livekit_api_secret: str = field(repr=False)
    redis_url: str
    localvoice_url: str
    worker_url: str
    pids: dict[str, int]
    run_dir: Path
    record: Path


def program(tool: Tool) -> Path:
    """Return a server program, or skip (fail in CI) when there is none."""
    if (found := find_tool(tool, load_environment())) is None:
        lacking(f"no {tool.program} here: run `make setup`, or set {tool.setting}")
    return found


def find_pages() -> Path | None:
    """Return the pages: those that `make test` has built, or web/dist if it is of the sources."""
    if named := process_environment().get(PAGES_SETTING):
        return Path(named)
    return WEB / DIST if are_pages_current() else None


def lacking(message: str) -> NoReturn:
    """Skip a test for want of something; fail it in CI."""
    if is_set(load_environment(), "CI"):
        pytest.fail(message)
    pytest.skip(message)


def neutral_environment() -> dict[str, str]:
    """Return the environment without any setting of a service."""
    return {name: value for name, value in process_environment().items() if name in NEUTRAL}


@contextmanager
def running(
    describe: Callable[[Ports], Sequence[Service]], fixture: str | None = None
) -> Iterator[tuple[Stack, Ports]]:
    """Run services on random ports; on other ones when somebody else was quicker to bind.

    Their logs are shown with failed tests that use `fixture`.
    """
    with BackgroundLoop() as loop:
        for attempt in range(1, START_ATTEMPTS + 1):
            ports = random_ports()
            stack = Stack(describe(ports))
            if fixture:
                register_logs(fixture, stack)
            try:
                loop.run(stack.start())
            except PortTaken:
                loop.run(stack.stop())
                if attempt == START_ATTEMPTS:
                    raise
            except BaseException:
                loop.run(stack.stop())
                raise
            else:
                break
        try:
            yield stack, ports
        finally:
            loop.run(stack.stop())


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis without persistence."""
    binary, run_dir = program(REDIS), tmp_path_factory.mktemp("redis")
    env = process_environment()

    def describe(ports: Ports) -> list[Service]:
        return [redis_service(binary, port=ports.redis, run_dir=run_dir, env=env, is_durable=False)]

    with running(describe, "redis_server") as (stack, ports):
        (service,) = stack.services
        yield RedisServer(url=service.url, port=ports.redis, pid=stack.pids["redis"])


@pytest.fixture(scope="session")
def livekit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    """A livekit-server configured as `make run` does."""
    with running_livekit(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@contextmanager
def running_livekit(run_dir: Path) -> Iterator[LiveKitServer]:
    """Run a livekit-server; its log is shown with failed tests that use `livekit_server`."""
    livekit, keys, env = program(LIVEKIT), Keys.generate(), process_environment()

    def webhook_url(ports: Ports) -> str:
        return f"http://127.0.0.1:{ports.tokenserver}/livekit/webhook"

    def describe(ports: Ports) -> list[Service]:
        return [
            livekit_service(
                livekit,
                ports=ports,
                keys=keys,
                run_dir=run_dir,
                env=env,
                webhook_url=webhook_url(ports),
            ),
        ]

    with running(describe, "livekit_server") as (stack, ports):
        yield LiveKitServer(
            url=f"ws://127.0.0.1:{ports.livekit}",
            http_url=f"http://127.0.0.1:{ports.livekit}",
            api_key=keys.livekit_api_key,
            api_secret=keys.livekit_api_secret,
            port=ports.livekit,
            pid=stack.pids["livekit"],
            webhook_url=webhook_url(ports),
            webhook_port=ports.tokenserver,
        )


@contextmanager
def holding_lock(run_dir: Path) -> Iterator[StackLock]:
    """Hold a stack's lock, so that `make ask` and `make status` find the stack."""
    lock, _ = StackLock.acquire(run_dir)
    try:
        yield lock
    finally:
        lock.release()


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, page_server: PageServer
) -> Iterator[RunningStack]:
    """The whole stack. Like a user's, but none of your settings take part.

    It serves the pages of web/ if they are built: a test of theirs uses `built_pages`, too. The
    pages of `page_server` may call its API.
    """
    redis, livekit = program(REDIS), program(LIVEKIT)
    run_dir, keys = tmp_path_factory.mktemp("stack"), Keys.generate()
    env = neutral_environment() | {
        "GREETING_CACHE_DIR": str(tmp_path_factory.mktemp("greetings")),
        "CORS_ORIGINS": json.dumps([page_server.origin]),
        # All callers of the tests have one address.
        **dict.fromkeys(("START_LIMIT_PER_MINUTE", "TOKEN_LIMIT_PER_MINUTE"), "1000"),
        # Nor is a machine too slow that is busy with something else.
        **dict.fromkeys(("PROVIDER_TIMEOUT_S", "LOCALVOICE_QUEUE_TIMEOUT_S"), "60"),
    }

    def configure(ports: Ports) -> StackConfig:
        return StackConfig(run_dir=run_dir, ports=ports, keys=keys, env=env, web_dir=find_pages())

    def describe(ports: Ports) -> list[Service]:
        return fleet_services(configure(ports), redis=redis, livekit=livekit)

    with holding_lock(run_dir) as lock, running(describe, "stack") as (services, ports):
        config = configure(ports)
        lock.publish(describe_stack(config, services))
        yield RunningStack(
            api_url=config.api_url,
            admin_key=config.admin_key,
            livekit_url=config.livekit_url,
            livekit_api_key=keys.livekit_api_key,
            livekit_api_secret=keys.livekit_api_secret,
            redis_url=config.redis_url,
            localvoice_url=config.localvoice_url,
            worker_url=config.worker_url,
            pids=services.pids,
            run_dir=run_dir,
            record=stack_file(run_dir),
        )
