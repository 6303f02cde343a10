"""Lapsed leases are found and mended; an outage of Redis is not mistaken for a dead agent."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from livekit import api
from pydantic import SecretStr

from devstack.services.ports import random_ports
from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.errors import StaleEpoch
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.endings import RoomCloser
from supervisor.leases import LeaseSweeper
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.support.servers import LiveKitServer, RedisServer

LEASE_MS = 6_000
START_LEASE_MS = 30_000
SUSPICION_MS = 500
START_MS = 1_000_000


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
async def redis(redis_server: RedisServer) -> AsyncIterator[Client]:
    client = connect(StoreSettings(redis_url=SecretStr(redis_server.url)), Temper.HASTY)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Client) -> SessionStore:
    settings = StoreSettings(redis_prefix=f"test-{secrets.token_hex(6)}")
    return SessionStore(redis, settings, now_ms=START_MS)


async def test_a_silent_agent_is_written_off_and_another_one_is_due(
    store: SessionStore, rooms: Rooms
) -> None:
    """1. An agent claims a session and is heard. 2. It hangs: no heartbeat any more. 3. Its lease
    lapses.

    Result: one pass suspects it, the next one writes it off; the session keeps its slot, is due for
    an agent under the next epoch, and knows whose participant to remove.
    """
    session = await _started(store, rooms)
    await store.claim(session.id, 1, agent())
    await store.mark_ready(session.id, 1)
    sweeper = LeaseSweeper(store)
    await pass_time(store, LEASE_MS - 1)
    assert await sweeper.sweep_once() == 0
    await pass_time(store, 1)
    assert await sweeper.sweep_once() == 0
    assert (await store.get(session.id)).status is State.READY
    await pass_time(store, SUSPICION_MS)
    assert await sweeper.sweep_once() == 1
    lost = await store.get(session.id)
    assert (lost.status, lost.epoch, lost.claimed_at_ms) == (State.RECOVERING, 2, None)
    assert lost.ghost_job_id == agent().job_id
    assert (await store.occupancy()).taken == 1
    assert await store.queue.due() == [session.id]
    with pytest.raises(StaleEpoch):
        await store.renew(session.id, 1)
    await store.end(session.id)
    await RoomCloser(store, rooms).close_once()


async def test_after_too_many_lost_agents_the_session_fails_and_its_room_closes(
    store: SessionStore, rooms: Rooms, livekit_server: LiveKitServer
) -> None:
    """Each agent that is sent claims the session and is not heard of again.

    Result: words for its user; the slot is free, the room is gone.
    """
    session = await _started(store, rooms)
    sweeper = LeaseSweeper(store)
    for epoch in range(1, 2 + store.settings.redispatch_limit):
        assert (await store.get(session.id)).epoch == epoch
        await store.dispatch(session.id)
        await store.claim(session.id, epoch, agent(f"AJ_{epoch}"))
        await pass_time(store, LEASE_MS)
        assert await sweeper.sweep_once() == 0
        await pass_time(store, SUSPICION_MS)
        assert await sweeper.sweep_once() == 1
    await RoomCloser(store, rooms).close_once()
    failed = await store.get(session.id)
    assert failed.status is State.FAILED
    assert failed.error == (
        "The agent was lost, and so were those sent in its place. Please start again."
    )
    assert (await store.occupancy()).taken == 0
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        left = await livekit.room.list_rooms(api.ListRoomsRequest(names=[session.room]))
    assert list(left.rooms) == []


async def test_an_agent_that_was_only_late_is_not_judged(store: SessionStore, rooms: Rooms) -> None:
    """1. A lease lapses, and a pass sees it. 2. The heartbeat comes after all.

    Result: the next pass finds nothing to do.
    """
    session = await _started(store, rooms)
    await store.claim(session.id, 1, agent())
    sweeper = LeaseSweeper(store)
    await pass_time(store, LEASE_MS)
    assert await sweeper.sweep_once() == 0
    await store.renew(session.id, 1)
    await pass_time(store, SUSPICION_MS)
    assert await sweeper.sweep_once() == 0
    assert (await store.get(session.id)).is_live
    await store.end(session.id)
    await RoomCloser(store, rooms).close_once()


async def test_a_room_that_could_not_be_closed_is_closed_later_by_anybody(
    store: SessionStore, rooms: Rooms, livekit_server: LiveKitServer
) -> None:
    """1. A session ends while LiveKit is away. 2. The server that was to close its room stops.
    3. LiveKit is back, and another server sweeps.

    Result: the session is `ending` until then, with its slot free, and over afterwards.
    """
    session = await _started(store, rooms)
    await store.fail(session.id, "why")
    nowhere = RoomSettings(
        livekit_url=f"ws://127.0.0.1:{random_ports().livekit}",
        livekit_api_key=livekit_server.api_key,
        livekit_api_secret=SecretStr(livekit_server.api_secret),
    )
    async with open_rooms(nowhere) as unreachable:
        assert await RoomCloser(store, unreachable).close_once() == 0
    assert (await store.get(session.id)).status is State.ENDING
    assert (await store.occupancy()).taken == 0
    await RoomCloser(store, rooms).close_once()
    assert (await store.get(session.id)).status is State.FAILED
    assert not await rooms.close(session.room)


async def test_a_session_nobody_came_for_says_so(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    sweeper = LeaseSweeper(store)
    await pass_time(store, START_LEASE_MS)
    assert await sweeper.sweep_once() == 0
    await pass_time(store, SUSPICION_MS)
    assert await sweeper.sweep_once() == 1
    assert (await store.get(session.id)).error == "No agent came in time. Please try again."


@pytest.mark.parametrize("is_merciful", [True, False])
async def test_after_an_outage_nobody_is_judged_until_a_lease_has_passed(
    redis: Client, monkeypatch: pytest.MonkeyPatch, *, is_merciful: bool
) -> None:
    """1. An agent is well. 2. Redis is away for longer than a lease. 3. It is back; the sweep
    comes before the agent's next heartbeat.

    Result: the session lives on. Without the store's mercy (second case) it is failed.
    """
    if not is_merciful:
        monkeypatch.setattr("sessions.settings._GAP_PER_LEASE", 1000)
    settings = StoreSettings(redis_prefix=f"test-{secrets.token_hex(6)}")
    store = SessionStore(redis, settings, now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    sweeper = LeaseSweeper(store)
    store.now_ms = START_MS + 60_000
    await sweeper.sweep_once()
    await pass_time(store, SUSPICION_MS)
    assert await sweeper.sweep_once() == (0 if is_merciful else 1)
    if is_merciful:
        await store.renew(session.id, 1)
        await pass_time(store, LEASE_MS - SUSPICION_MS)
        await store.renew(session.id, 1)
        await pass_time(store, 1)
        assert await sweeper.sweep_once() == 0
        assert (await store.get(session.id)).is_live


async def test_redis_away_is_no_error() -> None:
    url = SecretStr(f"redis://127.0.0.1:{random_ports().redis}/0")
    settings = StoreSettings(redis_url=url)
    away = connect(settings, Temper.HASTY)
    assert await LeaseSweeper(SessionStore(away, settings)).sweep_once() == 0
    await away.aclose()


async def _started(store: SessionStore, rooms: Rooms) -> Newcomer:
    session = newcomer()
    await store.admit(session)
    await rooms.open(session.room, "{}")
    return session
