"""The token server as a process, beside real Redis and LiveKit, which sends it webhooks."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from devstack.services.ports import Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import process_environment
from rooms.settings import RoomSettings
from tests.support.logs import register_logs
from tests.support.servers import LiveKitServer, RedisServer, running

ADMIN_KEY = "an-admin-key-for-tests-only"
CAPACITY = 5


@dataclass(frozen=True, kw_only=True)
class TokenServer:
    url: str
    log: Path
    room_settings: RoomSettings


def environment(redis: RedisServer, livekit: LiveKitServer, port: int) -> dict[str, str]:
    return process_environment() | {
        "TOKENSERVER_PORT": str(port),
        "REDIS_URL": redis.url,
        "REDIS_PREFIX": f"tokenserver-{port}",
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
        "ADMIN_API_KEY": ADMIN_KEY,
        "MAX_SESSIONS": str(CAPACITY),
        "START_LEASE_S": "60",
        "AGENT_LEASE_S": "2",
        "SWEEP_INTERVAL_S": "0.2",
    }


def service(env: dict[str, str], port: int, log: Path) -> Service:
    url = f"http://127.0.0.1:{port}"
    return Service(
        command=Command(
            name="tokenserver", argv=(sys.executable, "-m", "tokenserver"), env=env, log=log
        ),
        url=url,
        ready=http_ok(f"{url}/readyz"),
    )


@pytest.fixture(scope="session")
def tokenserver(
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TokenServer]:
    log = tmp_path_factory.mktemp("tokenserver") / "tokenserver.log"
    port = livekit_server.webhook_port

    def describe(_: Ports) -> list[Service]:
        return [service(environment(redis_server, livekit_server, port), port, log)]

    with running(describe) as (stack, _):
        register_logs("tokenserver", stack)
        yield TokenServer(
            url=f"http://127.0.0.1:{port}",
            log=log,
            room_settings=RoomSettings(
                livekit_url=livekit_server.url,
                livekit_api_key=livekit_server.api_key,
                livekit_api_secret=SecretStr(livekit_server.api_secret),
            ),
        )


@pytest.fixture
async def http(tokenserver: TokenServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=tokenserver.url, timeout=20) as client:
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
