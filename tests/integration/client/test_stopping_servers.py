"""A server that is about to stop answers at once whoever waits; clients do not ask all the time.

It says so for ten seconds here, so that there is time to ask often.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.integration.client.node import NodeClient
from tests.support.replicas import Replica, Replicas
from tests.support.wait import eventually
from tests.support.web import Scripts
from voicefleet_client import SessionView, Voicefleet

DEADLINE_S = 60.0
STOPPING_S = "10"
_LOOK = "/api/session/{session_id}"


@pytest.fixture
async def server(replicas: Replicas) -> Replica:
    return await replicas.start(SHUTDOWN_DELAY_S=STOPPING_S)


async def test_a_long_poll_goes_on(server: Replica) -> None:
    """Result: the caller has to wait, as it asked for, with few requests."""
    async with Voicefleet(server.url) as fleet:
        session = await fleet.start()
        known = (await session.view()).revision
        server.signal()
        await _until_stopping(fleet)
        before, began = _asked(server.log, _LOOK), time.monotonic()
        assert (await session.view(wait_s=4, since=known)).revision == known
        assert time.monotonic() - began >= 4
        assert (await session.view(wait_s=1)).revision == known
        assert time.monotonic() - began >= 5
        assert 3 <= _asked(server.log, _LOOK) - before <= 12
        await session.stop()


async def test_a_long_poll_hears_of_a_change_nevertheless(server: Replica) -> None:
    async with Voicefleet(server.url) as fleet:
        session = await fleet.start()
        known = (await session.view()).revision
        server.signal()
        await _until_stopping(fleet)
        waiting = asyncio.create_task(session.view(wait_s=60, since=known))
        await session.stop()
        assert (await asyncio.wait_for(waiting, DEADLINE_S)).revision > known


async def test_the_typescript_client_waits_too(replicas: Replicas, scripts: Scripts) -> None:
    server = await replicas.start(SHUTDOWN_DELAY_S="30")
    async with Voicefleet(server.url) as fleet:
        session = await fleet.start()
        known = (await session.view()).revision
        server.signal()
        await _until_stopping(fleet)
        wish = {"id": session.id, "secret": session.secret}
        node, before = NodeClient(scripts, server.url), _asked(server.log, _LOOK)
        seen = await node.do("view", **wish, waitSeconds=4, since=known)
        assert (seen["value"]["revision"], seen["tookSeconds"] >= 4) == (known, True)
        assert 3 <= _asked(server.log, _LOOK) - before <= 9
        before = _asked(server.log, f"{_LOOK}/events")
        assert (await node.do("follow", **wish, abortMs=4000))["error"]["name"] == "TimeoutError"
        assert 2 <= _asked(server.log, f"{_LOOK}/events") - before <= 7
        await session.stop()


async def test_following_takes_its_time(server: Replica) -> None:
    """1. Somebody follows. 2. The server stops for ten seconds, and starts again. 3. The end."""
    async with Voicefleet(server.url) as fleet:
        session = await fleet.start()
        seen: list[SessionView] = []

        async def follow() -> None:
            async for view in session.follow():
                seen.append(view)  # noqa: PERF401 - as they come

        following = asyncio.create_task(follow())

        async def has_begun() -> bool:
            return bool(seen)

        await eventually(has_begun, DEADLINE_S)
        server.signal()
        assert await server.exit_status() == 0
        assert 2 <= _asked(server.log, f"{_LOOK}/events") <= 8
        await server.start()
        await session.stop()
        await asyncio.wait_for(following, DEADLINE_S)
    # `ending` is seen by who looks in that moment.
    assert [view.status for view in seen if view.status != "ending"] == ["starting", "ended"]


async def _until_stopping(fleet: Voicefleet) -> None:
    async def is_stopping() -> bool:
        health = await fleet._transport.call("GET", "/readyz", is_any_status=True)
        return health.get("stopping") is True

    await eventually(is_stopping, DEADLINE_S)


def _asked(log: Path, route: str) -> int:
    """Return how many requests of a route a server has answered."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    return len([line for line in lines if json.loads(line).get("route") == route])
