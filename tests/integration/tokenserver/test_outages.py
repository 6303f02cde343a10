"""A neighbour is away: the API says so soon, and leaves nothing half-done behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from devstack.install.tools import REDIS
from devstack.services.keys import Keys
from devstack.services.ports import Ports
from devstack.services.servers import redis_service
from devstack.services.service import Service
from devstack.settings import process_environment
from rooms.client import open_rooms
from rooms.errors import LiveKitUnavailable
from rooms.settings import RoomSettings
from tests.integration.tokenserver.conftest import tokenserver_service, variables
from tests.support.plain import NO_TLS
from tests.support.servers import program, running


@contextmanager
def lonely_api(run_dir: Path, *, with_redis: bool) -> Iterator[httpx2.Client]:
    """Run a token server without LiveKit, with or without Redis."""
    redis, keys, env = program(REDIS), Keys.generate(), process_environment()

    def describe(ports: Ports) -> list[Service]:
        api = tokenserver_service(
            env | variables(ports, keys), ports, run_dir / "tokenserver.log", ready="healthz"
        )
        if not with_redis:
            return [api]
        return [
            redis_service(redis, port=ports.redis, run_dir=run_dir, env=env, is_durable=False),
            api,
        ]

    with (
        running(describe, "lonely_api") as (_, ports),
        httpx2.Client(
            base_url=f"http://127.0.0.1:{ports.tokenserver}", timeout=20, verify=NO_TLS
        ) as http,
    ):
        yield http


@pytest.fixture
def without_livekit(tmp_path: Path) -> Iterator[httpx2.Client]:
    with lonely_api(tmp_path, with_redis=True) as http:
        yield http


@pytest.fixture
def without_redis(tmp_path: Path) -> Iterator[httpx2.Client]:
    with lonely_api(tmp_path, with_redis=False) as http:
        yield http


def test_without_livekit_no_session_is_left_behind(without_livekit: httpx2.Client) -> None:
    answer = without_livekit.post("/api/session/start")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "livekit_unavailable"
    assert answer.headers["Retry-After"]
    health = without_livekit.get("/api/health")
    assert health.status_code == 503
    assert health.json()["livekit"] == "unavailable"
    assert health.json()["sessions"]["starting"] == 0
    assert without_livekit.get("/readyz").json() == {
        "ready": False,
        "stopping": False,
        "redis": "ok",
        "livekit": "unavailable",
    }


def test_without_redis_everything_else_still_answers(without_redis: httpx2.Client) -> None:
    answer = without_redis.post("/api/session/start")
    assert answer.status_code == 503
    assert answer.json()["error"] == {
        "code": "store_unavailable",
        "message": "The session store does not answer. Please try again shortly.",
        "retryAfter": 2,
    }
    assert without_redis.get("/healthz").status_code == 200
    assert without_redis.get("/api/health").json()["redis"] == "unavailable"


async def test_a_livekit_that_never_answers_holds_nobody_up() -> None:
    """The SDK's own time-out would be none at all."""
    done = asyncio.Event()

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    settings = RoomSettings(
        livekit_url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 32),
        livekit_timeout_s=0.2,
    )
    async with open_rooms(settings) as rooms, asyncio.timeout(30):
        for asked in (rooms.ping(), rooms.open("r", "{}"), rooms.close("r")):
            with pytest.raises(LiveKitUnavailable):
                await asked
    done.set()
    server.close()
    await server.wait_closed()
