"""The token server as a process, beside real Redis and LiveKit, which sends it webhooks."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import process_environment
from tests.support.plain import NO_TLS
from tests.support.servers import LiveKitServer, program, running

ADMIN_KEY = "an-admin-key-for-tests-only"
CAPACITY = 5


@dataclass(frozen=True, kw_only=True)
class TokenServer:
    url: str
    log: Path
    redis_url: str
    livekit: LiveKitServer


@pytest.fixture(scope="session")
def tokenserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    redis, livekit = program(REDIS), program(LIVEKIT)
    run_dir, keys, env = tmp_path_factory.mktemp("api"), Keys.generate(), process_environment()

    def describe(ports: Ports) -> list[Service]:
        webhook_url = f"http://127.0.0.1:{ports.tokenserver}/livekit/webhook"
        return [
            redis_service(redis, port=ports.redis, run_dir=run_dir, env=env, is_durable=False),
            livekit_service(
                livekit, ports=ports, keys=keys, run_dir=run_dir, env=env, webhook_url=webhook_url
            ),
            tokenserver_service(env | variables(ports, keys), ports, run_dir / "tokenserver.log"),
        ]

    with running(describe, "tokenserver") as (stack, ports):
        yield TokenServer(
            url=f"http://127.0.0.1:{ports.tokenserver}",
            log=run_dir / "tokenserver.log",
            redis_url=f"redis://127.0.0.1:{ports.redis}/0",
            livekit=LiveKitServer(
                url=f"ws://127.0.0.1:{ports.livekit}",
                http_url=f"http://127.0.0.1:{ports.livekit}",
                api_key=keys.livekit_api_key,
                api_secret=keys.livekit_api_secret,
                port=ports.livekit,
                pid=stack.pids["livekit"],
                webhook_url=f"http://127.0.0.1:{ports.tokenserver}/livekit/webhook",
                webhook_port=ports.tokenserver,
            ),
        )


@pytest.fixture(scope="session")
def livekit_server(tokenserver: TokenServer) -> LiveKitServer:
    """The one that sends its webhooks to the token server of these tests."""
    return tokenserver.livekit


def variables(ports: Ports, keys: Keys) -> dict[str, str]:
    return {
        "TOKENSERVER_PORT": str(ports.tokenserver),
        "REDIS_URL": f"redis://127.0.0.1:{ports.redis}/0",
        "LIVEKIT_URL": f"ws://127.0.0.1:{ports.livekit}",
        "LIVEKIT_PUBLIC_URL": "",
        "LIVEKIT_API_KEY": keys.livekit_api_key,
        "LIVEKIT_API_SECRET": keys.livekit_api_secret,
        "ADMIN_API_KEY": ADMIN_KEY,
        "MAX_SESSIONS": str(CAPACITY),
        "START_LEASE_S": "60",
        "AGENT_LEASE_S": "2",
        "SWEEP_INTERVAL_S": "0.2",
        "SHUTDOWN_DELAY_S": "0",
        "PERSONAS": '["interviewer"]',
        **dict.fromkeys(
            ("START_LIMIT_PER_MINUTE", "TOKEN_LIMIT_PER_MINUTE", "READ_LIMIT_PER_MINUTE"), "100000"
        ),
    }


def tokenserver_service(
    env: dict[str, str], ports: Ports, log: Path, *, ready: str = "readyz"
) -> Service:
    url = f"http://127.0.0.1:{ports.tokenserver}"
    return Service(
        command=Command(
            name="tokenserver", argv=(sys.executable, "-m", "tokenserver"), env=env, log=log
        ),
        url=url,
        ready=http_ok(f"{url}/{ready}"),
    )


@pytest.fixture
async def http(tokenserver: TokenServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=tokenserver.url, timeout=20, verify=NO_TLS) as client:
        yield client


@pytest.fixture
async def clean_slots(http: httpx2.AsyncClient) -> AsyncIterator[list[dict[str, str]]]:
    """Sessions put into this list are stopped after the test."""
    started: list[dict[str, str]] = []
    yield started
    for session in started:
        await http.post(
            "/api/session/stop",
            json={"sessionId": session["sessionId"], "sessionSecret": session["sessionSecret"]},
        )


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"} if secret else {}
