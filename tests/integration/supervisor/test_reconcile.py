"""What LiveKit has and what the store says come together again, and nobody is judged early."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from devstack.services.ports import random_ports
from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.connection import Temper, connect
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.reconcile import Reconciler
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import MakeStore, Media
from tests.support.clock import Clock
from tests.support.gate import gate_before
from tests.support.servers import LiveKitServer

PATIENCE_S = 30.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(max_sessions=10)


@pytest.fixture
def reconciler(store: SessionStore, rooms: Rooms, clock: Clock) -> Reconciler:
    return Reconciler(store, rooms, patience_s=PATIENCE_S, clock=clock)


@pytest.fixture
async def talking(store: SessionStore, media: Media) -> Newcomer:
    """A session in which two talk, and its room."""
    session = newcomer(user=None)
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.mark_ready(session.id, 1)
    await store.mark_joined(session.id)
    await media.make(session.room)
    return session


async def test_a_session_whose_room_is_gone_is_ended(
    store: SessionStore, media: Media, talking: Newcomer, reconciler: Reconciler, clock: Clock
) -> None:
    """1. All is well. 2. The room closes; no webhook tells of it. 3. As long as a user may be away
    passes.

    Result: ended, with a reason; the slot is free.
    """
    assert await reconciler.reconcile_once() == 0
    await media.close(talking.room)
    for step_s in (0.0, PATIENCE_S - 1):
        clock.now += step_s
        assert await reconciler.reconcile_once() == 0
        assert (await store.get(talking.id)).status is State.ACTIVE
    clock.now += 1
    assert await reconciler.reconcile_once() == 1
    ended = await store.get(talking.id)
    assert (ended.status, ended.reason) == (State.ENDING, "room_gone")
    assert (await store.occupancy()).taken == 0
    assert await reconciler.reconcile_once() == 0


async def test_a_room_that_comes_back_in_time_is_forgiven(
    store: SessionStore, media: Media, talking: Newcomer, reconciler: Reconciler, clock: Clock
) -> None:
    """As after a restart of LiveKit, whose clients open their rooms again."""
    await media.close(talking.room)
    assert await reconciler.reconcile_once() == 0
    clock.now += PATIENCE_S - 1
    await media.make(talking.room)
    assert await reconciler.reconcile_once() == 0
    await media.close(talking.room)
    clock.now += 2
    assert await reconciler.reconcile_once() == 0
    assert (await store.get(talking.id)).status is State.ACTIVE


async def test_while_livekit_is_away_nobody_is_judged(
    store: SessionStore,
    talking: Newcomer,
    room_settings: RoomSettings,
    livekit_server: LiveKitServer,
    clock: Clock,
) -> None:
    """1. A room is gone. 2. LiveKit is away for longer than a user may be. 3. It is back.

    Result: the time counts from then.
    """
    async with gate_before(livekit_server.port) as gate:
        url = f"ws://127.0.0.1:{gate.port}"
        behind = room_settings.model_copy(update={"livekit_url": url, "livekit_timeout_s": 1.0})
        async with open_rooms(behind) as rooms:
            reconciler = Reconciler(store, rooms, patience_s=PATIENCE_S, clock=clock)
            assert await rooms.close(talking.room)
            assert await reconciler.reconcile_once() == 0
            await gate.shut()
            clock.now += PATIENCE_S
            assert await reconciler.reconcile_once() == 0
            await gate.open()
            await rooms.ping()
            assert await reconciler.reconcile_once() == 0
            clock.now += PATIENCE_S
            assert await reconciler.reconcile_once() == 1


async def test_the_room_of_a_session_that_is_over_is_closed(
    store: SessionStore, media: Media, talking: Newcomer, reconciler: Reconciler
) -> None:
    """1. A session ends, and its room closes. 2. A token that outlived it opens the room again."""
    await store.end(talking.id)
    await media.close(talking.room)
    await store.mark_closed(talking.id)
    assert await reconciler.reconcile_once() == 0
    await media.make(talking.room)
    assert await reconciler.reconcile_once() == 1
    assert not await media.has(talking.room)


async def test_rooms_of_others_and_those_that_wait_for_their_session_are_left_alone(
    media: Media, reconciler: Reconciler
) -> None:
    unknown = newcomer(user=None)
    for room in ("somebody-elses", unknown.room):
        await media.make(room)
    for _ in range(3):
        assert await reconciler.reconcile_once() == 0
    assert await media.has("somebody-elses")
    assert await media.has(unknown.room)


async def test_redis_away_is_no_error(rooms: Rooms) -> None:
    url = SecretStr(f"redis://127.0.0.1:{random_ports().redis}/0")
    settings = StoreSettings(redis_url=url)
    away = connect(settings, Temper.HASTY)
    reconciler = Reconciler(SessionStore(away, settings), rooms, patience_s=PATIENCE_S)
    assert await reconciler.reconcile_once() == 0
    await away.aclose()
