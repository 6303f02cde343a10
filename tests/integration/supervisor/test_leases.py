"""Lapsed leases are found and mended; an outage of Redis is not mistaken for a dead agent."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from livekit import api
from pydantic import SecretStr
from redis.asyncio import Redis

from devstack.services.ports import random_ports
from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.leases import LeaseSweeper
from tests.integration.sessions.conftest import agent, newcomer
from tests.support.servers import LiveKitServer, RedisServer

LEASE_MS = 8_000
START_MS = 1_000_000


@dataclass
class Clock:
    """A monotonic clock that moves when told to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def rooms(livekit_server: LiveKitServer) -> AsyncIterator[Rooms]:
    settings = RoomSettings(
        livekit_url=livekit_server.url,
        livekit_api_key=livekit_server.api_key,
        livekit_api_secret=SecretStr(livekit_server.api_secret),
    )
    async with open_rooms(settings) as client:
        yield client


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = connect(StoreSettings(redis_url=SecretStr(redis_server.url)), Temper.HASTY)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Redis) -> SessionStore:
    settings = StoreSettings(redis_prefix=f"test-{secrets.token_hex(6)}")
    return SessionStore(redis, settings, now_ms=START_MS)


async def test_a_dead_agents_session_fails_and_its_room_closes(
    store: SessionStore, rooms: Rooms, livekit_server: LiveKitServer
) -> None:
    """1. An agent claims a session. 2. It is killed: no heartbeat any more. 3. Its lease lapses.

    Result: the session has failed with words for its user, the slot is free, the room is gone.
    """
    session = newcomer()
    await store.admit(session)
    await rooms.open(session.room, "{}")
    await store.claim(session.id, 1, agent())
    clock = Clock()
    sweeper = LeaseSweeper(store, rooms, mercy_s=8.0, clock=clock)
    clock.now_s = 9.0
    assert await sweeper.sweep_once() == 0
    store.now_ms = START_MS + LEASE_MS
    assert await sweeper.sweep_once() == 1
    failed = await store.get(session.id)
    assert failed.status is State.FAILED
    assert failed.error == "The agent stopped answering. Please start again."
    assert (await store.occupancy()).taken == 0
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        left = await livekit.room.list_rooms(api.ListRoomsRequest(names=[session.room]))
    assert list(left.rooms) == []


async def test_a_room_that_could_not_be_closed_is_closed_at_the_next_pass(
    store: SessionStore, rooms: Rooms, livekit_server: LiveKitServer
) -> None:
    """1. A lease lapses while LiveKit is away. 2. LiveKit is back.

    Result: the session fails at once, the room is closed as soon as that can be done.
    """
    session = newcomer()
    await store.admit(session)
    await rooms.open(session.room, "{}")
    nowhere = RoomSettings(
        livekit_url=f"ws://127.0.0.1:{random_ports().livekit}",
        livekit_api_key=livekit_server.api_key,
        livekit_api_secret=SecretStr(livekit_server.api_secret),
    )
    store.now_ms = START_MS + 30_000
    async with open_rooms(nowhere) as unreachable:
        sweeper = LeaseSweeper(store, unreachable, mercy_s=0.0, clock=Clock())
        assert await sweeper.sweep_once() == 1
        assert (await store.get(session.id)).status is State.FAILED
        sweeper._rooms = rooms
        assert await sweeper.sweep_once() == 0
    assert not await rooms.close(session.room)


async def test_a_session_nobody_came_for_says_so(store: SessionStore, rooms: Rooms) -> None:
    session = newcomer()
    await store.admit(session)
    clock = Clock()
    sweeper = LeaseSweeper(store, rooms, mercy_s=0.0, clock=clock)
    store.now_ms = START_MS + 30_000
    assert await sweeper.sweep_once() == 1
    assert (await store.get(session.id)).error == "No agent came in time. Please try again."


@pytest.mark.parametrize(("mercy_s", "failed"), [(8.0, 0), (0.0, 1)])
async def test_after_an_outage_nobody_is_judged_until_a_lease_has_passed(
    store: SessionStore, rooms: Rooms, mercy_s: float, failed: int
) -> None:
    """1. An agent is well. 2. Redis is away for longer than a lease. 3. It is back; the sweep
    comes before the agent's next heartbeat.

    Result: the session lives on. Without the mercy (second case) it would be failed.
    """
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    clock = Clock()
    sweeper = LeaseSweeper(store, rooms, mercy_s=mercy_s, clock=clock)
    clock.now_s = 100.0
    away = connect(
        StoreSettings(redis_url=SecretStr(f"redis://127.0.0.1:{random_ports().redis}/0")),
        Temper.HASTY,
    )
    there, store._redis = store._redis, away
    assert await sweeper.sweep_once() == 0
    store._redis = there
    await away.aclose()
    store.now_ms = START_MS + 60_000
    clock.now_s += 1.0
    assert await sweeper.sweep_once() == failed
