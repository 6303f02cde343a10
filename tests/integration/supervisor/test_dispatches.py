"""Whoever has a slot is sent an agent: once, again when none comes, and when LiveKit is back."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import pytest
from livekit import api
from pydantic import SecretStr

from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.ids import SessionId, room_name
from sessions.model import Session
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from tests.integration.sessions.conftest import agent, newcomer
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.servers import LiveKitServer, RedisServer
from tests.support.wait import eventually

START_MS = 1_000_000
CLAIM_MS = 5_000
SLOTS = 12


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Client]:
    client = connect(StoreSettings(redis_url=SecretStr(redis_server.url)), Temper.PATIENT)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Client) -> SessionStore:
    prefix = f"test-{secrets.token_hex(6)}"
    settings = StoreSettings(redis_prefix=prefix, max_sessions=SLOTS, start_lease_s=600)
    return SessionStore(redis, settings, now_ms=START_MS)


@pytest.fixture
async def proxy(livekit_server: LiveKitServer) -> AsyncIterator[FaultProxy]:
    """Between the dispatchers and LiveKit."""
    async with fault_proxy(livekit_server.port) as running:
        yield running


@pytest.fixture
async def rooms(livekit_server: LiveKitServer, proxy: FaultProxy) -> AsyncIterator[Rooms]:
    settings = RoomSettings(
        livekit_url=f"ws://127.0.0.1:{proxy.port}",
        livekit_api_key=livekit_server.api_key,
        livekit_api_secret=SecretStr(livekit_server.api_secret),
        agent_name=f"agent-{secrets.token_hex(4)}",
        livekit_breaker_failures=1,
        livekit_breaker_open_s=0.1,
    )
    async with open_rooms(settings) as client:
        yield client


@pytest.fixture
async def livekit(livekit_server: LiveKitServer) -> AsyncIterator[api.LiveKitAPI]:
    server = livekit_server
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as client:
        yield client


async def test_of_several_dispatchers_one_sends_the_agent(
    store: SessionStore, rooms: Rooms, livekit: api.LiveKitAPI
) -> None:
    """Three servers see the same twelve admissions at the same moment."""
    admitted = await _admitted(store, SLOTS)
    dispatchers = [Dispatcher(store, rooms) for _ in range(3)]
    counts = await asyncio.gather(*(one.dispatch_due_once() for one in dispatchers))
    assert sum(counts) == SLOTS
    for session_id in admitted:
        assert await _epochs_sent(livekit, session_id) == [1]


async def test_an_agent_that_may_still_come_is_not_written_off(
    store: SessionStore, rooms: Rooms, livekit: api.LiveKitAPI
) -> None:
    """1. A server reads who is due. 2. Another one sends the agent. 3. The first one acts."""
    (session_id,) = await _admitted(store, 1)
    slow, quick = Dispatcher(store, rooms), Dispatcher(store, rooms)
    assert await quick.dispatch_due_once() == 1
    store.now_ms = START_MS + CLAIM_MS - 1
    assert await slow._send(session_id) is False
    assert (await store.get(session_id)).epoch == 1
    assert await _epochs_sent(livekit, session_id) == [1]


async def test_an_agent_that_does_not_come_is_replaced_a_few_times(
    store: SessionStore, rooms: Rooms, livekit: api.LiveKitAPI
) -> None:
    """Three passes of two servers each time the deadline has passed.

    Result: four agents were sent, each once; then the session fails and says why.
    """
    (session_id,) = await _admitted(store, 1)
    both = [Dispatcher(store, rooms) for _ in range(2)]
    for epoch in range(1, 5):
        for _ in range(3):
            await asyncio.gather(*(one.dispatch_due_once() for one in both))
        assert await _epochs_sent(livekit, session_id) == [*range(1, epoch + 1)]
        assert (await store.get(session_id)).epoch == epoch
        await _pass(store, CLAIM_MS)
    await asyncio.gather(*(one.dispatch_due_once() for one in both))
    failed = await store.get(session_id)
    assert failed.status is State.ENDING
    assert failed.error == "No agent came in time. Please try again."
    assert (await store.occupancy()).taken == 0


async def test_an_agent_that_came_is_left_alone(
    store: SessionStore, rooms: Rooms, livekit: api.LiveKitAPI
) -> None:
    (session_id,) = await _admitted(store, 1)
    dispatcher = Dispatcher(store, rooms)
    await dispatcher.dispatch_due_once()
    await store.claim(session_id, 1, agent())
    store.now_ms = START_MS + CLAIM_MS
    assert await dispatcher.dispatch_due_once() == 0
    assert await dispatcher._send(session_id) is False
    assert (await store.get(session_id)).epoch == 1
    assert await _epochs_sent(livekit, session_id) == [1]


async def test_while_livekit_is_away_nobody_is_written_off(
    store: SessionStore, rooms: Rooms, proxy: FaultProxy, livekit: api.LiveKitAPI
) -> None:
    """1. LiveKit goes away. 2. A slot comes free; many passes go by. 3. LiveKit is back.

    Result: the one who waited is sent one agent, into a room with our limits.
    """
    await proxy.switch(Fault.REFUSE)
    (session_id,) = await _admitted(store, 1)
    dispatcher = Dispatcher(store, rooms)
    for _ in range(10):
        assert await dispatcher.dispatch_due_once() == 0
        await _pass(store, 1_000)
    assert len((await store.get(session_id)).losses_ms) <= 1
    await proxy.switch(Fault.PASS)

    async def is_sent() -> bool:
        return await dispatcher.dispatch_due_once() == 1

    await eventually(is_sent)
    assert len(await _epochs_sent(livekit, session_id)) == 1
    (room,) = await _rooms_named(livekit, session_id)
    assert (room.max_participants, room.empty_timeout) == (2, 60)


async def test_an_answer_that_got_lost_brings_no_second_agent_under_the_same_epoch(
    store: SessionStore, rooms: Rooms, proxy: FaultProxy, livekit: api.LiveKitAPI
) -> None:
    """1. LiveKit opens the room with its agent; its answer does not arrive. 2. Another try.

    Result: the second agent has a later epoch, so that one of them talks.
    """
    await proxy.switch(Fault.CUT, after_bytes=0)
    (session_id,) = await _admitted(store, 1)
    dispatcher = Dispatcher(store, rooms)
    assert await dispatcher.dispatch_due_once() == 0
    assert await _epochs_sent(livekit, session_id) == [1]
    await proxy.switch(Fault.PASS)
    await _pass(store, 1_000)

    async def is_sent() -> bool:
        return await dispatcher.dispatch_due_once() == 1

    await eventually(is_sent)
    assert await _epochs_sent(livekit, session_id) == [1, 2]
    (room,) = await _rooms_named(livekit, session_id)
    assert json.loads(room.metadata) == {"voicefleet": {"status": "starting"}}


async def test_the_loop_sends_as_soon_as_somebody_is_admitted(
    redis: Client, rooms: Rooms, livekit: api.LiveKitAPI
) -> None:
    """By the real clock: the feed of changes wakes it, and an outage of nothing ends it."""
    settings = StoreSettings(redis_prefix=f"test-{secrets.token_hex(6)}", max_sessions=1)
    store = SessionStore(redis, settings)
    feed = ChangeFeed(store)
    loops = [
        asyncio.create_task(feed.run()),
        asyncio.create_task(Dispatcher(store, rooms).run(feed)),
    ]
    try:
        (session_id,) = await _admitted(store, 1)

        async def is_sent() -> bool:
            return await _epochs_sent(livekit, session_id) == [1]

        await eventually(is_sent)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def _admitted(store: SessionStore, count: int) -> list[SessionId]:
    """Let so many have waited, and got their slots from those who had them; none is sent for."""
    slots = store.settings.max_sessions
    first = [newcomer(user=None) for _ in range(slots)]
    line = [newcomer(user=None) for _ in range(count)]
    for one in first + line:
        await store.admit(one, may_wait=True)
    for one in first:
        await store.end(one.id)
        await store.mark_closed(one.id)
    sessions: list[Session] = [await store.get(one.id) for one in line]
    assert {session.status for session in sessions} == {State.STARTING}
    return [session.id for session in sessions]


async def _pass(store: SessionStore, time_ms: int) -> None:
    """Let time pass, with somebody writing meanwhile, so that it is no outage."""
    assert store.now_ms is not None
    ends_ms = store.now_ms + time_ms
    while store.now_ms < ends_ms:
        store.now_ms = min(store.now_ms + 1_000, ends_ms)
        await store.queue.advance()


async def _epochs_sent(livekit: api.LiveKitAPI, session_id: SessionId) -> list[int]:
    """Return under which epochs agents were sent for."""
    if not await _rooms_named(livekit, session_id):
        return []
    sent = await livekit.agent_dispatch.list_dispatch(room_name(session_id))
    return sorted(json.loads(one.metadata)["epoch"] for one in sent)


async def _rooms_named(livekit: api.LiveKitAPI, session_id: SessionId) -> list[api.Room]:
    asked = api.ListRoomsRequest(names=[room_name(session_id)])
    return list((await livekit.room.list_rooms(asked)).rooms)
