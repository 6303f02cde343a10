"""A neighbour hangs: after a few calls that waited, the others are refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import process_environment
from tests.integration.tokenserver.conftest import (
    ADMIN_KEY,
    bearer,
    tokenserver_service,
    variables,
)
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.plain import NO_TLS
from tests.support.servers import program, running
from tests.support.wait import eventually

FAILURES = 3
#: Above all deadlines: a call that takes this long hangs.
NO_HANG_S = 30.0
#: What a user asks under who is refused, and asks again.
KEY = "asked-again-and-again-0123"


@dataclass(frozen=True, kw_only=True)
class Shaky:
    """A token server whose ways to Redis and LiveKit may break."""

    http: httpx2.AsyncClient
    redis: FaultProxy
    livekit: FaultProxy

    async def start(self, key: str | None = None) -> httpx2.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post("/api/session/start", json={"queue": False}, headers=headers)

    async def circuit(self, name: str) -> str:
        health = await self.http.get("/api/health", headers=bearer(ADMIN_KEY))
        state: str = health.json()["circuit"][name]
        return state

    async def sessions(self) -> list[dict[str, object]]:
        answer = await self.http.get("/api/sessions?state=all", headers=bearer(ADMIN_KEY))
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()["sessions"]
        return found


@pytest.fixture
async def shaky(tmp_path: Path) -> AsyncIterator[Shaky]:
    redis, livekit, env = program(REDIS), program(LIVEKIT), process_environment()
    keys = Keys.generate()

    def describe_neighbours(ports: Ports) -> list[Service]:
        return [
            redis_service(redis, port=ports.redis, run_dir=tmp_path, env=env, is_durable=False),
            livekit_service(
                livekit,
                ports=ports,
                keys=keys,
                run_dir=tmp_path,
                env=env,
                webhook_url=f"http://{LOOPBACK}:{ports.tokenserver}/livekit/webhook",
            ),
        ]

    # The servers run in a loop of their own, the proxies in the test's: none may block the other.
    neighbours = running(describe_neighbours, "shaky")
    _, ports = await asyncio.to_thread(neighbours.__enter__)
    try:
        async with fault_proxy(ports.redis) as to_redis, fault_proxy(ports.livekit) as to_livekit:
            settings = variables(ports, keys) | {
                "REDIS_URL": f"redis://{LOOPBACK}:{to_redis.port}/0",
                "LIVEKIT_URL": f"ws://{LOOPBACK}:{to_livekit.port}",
                "LIVEKIT_TIMEOUT_S": "0.5",
                "LIVEKIT_BREAKER_FAILURES": str(FAILURES),
                "LIVEKIT_BREAKER_OPEN_S": "1",
                "REDIS_BREAKER_FAILURES": str(FAILURES),
                # A start lapses only long after the test.
                "START_LEASE_S": "600",
                "CLAIM_DEADLINE_S": "60",
            }

            def describe(own: Ports) -> list[Service]:
                changed = settings | {"TOKENSERVER_PORT": str(own.tokenserver)}
                return [tokenserver_service(env | changed, own, tmp_path / "tokenserver.log")]

            server = running(describe, "shaky")
            _, own = await asyncio.to_thread(server.__enter__)
            try:
                url = f"http://{LOOPBACK}:{own.tokenserver}"
                async with httpx2.AsyncClient(
                    base_url=url, timeout=NO_HANG_S, verify=NO_TLS
                ) as http:
                    yield Shaky(http=http, redis=to_redis, livekit=to_livekit)
            finally:
                await asyncio.to_thread(server.__exit__, None, None, None)
    finally:
        await asyncio.to_thread(neighbours.__exit__, None, None, None)


async def test_a_hanging_livekit_costs_a_few_calls_and_no_session(shaky: Shaky) -> None:
    """1. LiveKit's API accepts connections and never answers. 2. Users start sessions.

    Result: after a few, starts are refused without a connection being made, with a time to come
    back; no session and no slot is left; once LiveKit answers, starts work again by themselves, and
    so does one that was refused, under its key.
    """
    assert (await shaky.start()).status_code == 201
    await shaky.livekit.switch(Fault.BLACK_HOLE)
    assert (await shaky.start(KEY)).status_code == 503

    async def is_open() -> bool:
        refused = await shaky.start()
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "livekit_unavailable"
        return await shaky.circuit("livekit") != "closed"

    await eventually(is_open, NO_HANG_S)
    sessions_before = len(await shaky.sessions())
    answers = await asyncio.gather(*(shaky.start() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    # Refused before anything was taken: no record was even made.
    assert len(await shaky.sessions()) == sessions_before

    await shaky.livekit.switch(Fault.PASS)

    async def starts() -> bool:
        return (await shaky.start()).status_code == 201

    await eventually(starts, NO_HANG_S)
    begun = await shaky.start(KEY)
    assert begun.status_code == 201
    assert (await shaky.start(KEY)).json()["sessionId"] == begun.json()["sessionId"]
    live = [one for one in await shaky.sessions() if one["status"] == "starting"]
    assert len(live) == 3


async def test_a_hanging_redis_is_left_alone_too(shaky: Shaky) -> None:
    """The same with Redis: what needs no store goes on, and the rest is refused at once."""
    started = (await shaky.start()).json()
    await shaky.redis.switch(Fault.BLACK_HOLE)
    path = f"/api/session/{started['sessionId']}"

    async def is_open() -> bool:
        refused = await shaky.http.get(path, headers=bearer(started["sessionSecret"]))
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "store_unavailable"
        return await shaky.circuit("redis") != "closed"

    await eventually(is_open, NO_HANG_S)
    answers = await asyncio.gather(*(shaky.start() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["Retry-After"] for answer in answers)
    assert (await shaky.http.get("/healthz")).status_code == 200

    await shaky.redis.switch(Fault.PASS)

    async def is_seen() -> bool:
        seen = await shaky.http.get(path, headers=bearer(started["sessionSecret"]))
        return seen.status_code == 200

    await eventually(is_seen, NO_HANG_S)
    assert (await shaky.start()).status_code == 201
