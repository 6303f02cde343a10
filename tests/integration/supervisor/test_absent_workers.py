"""Sessions that start while no worker is there: they wait, and are served when one comes."""

from __future__ import annotations

import pytest

from rooms.client import Rooms
from sessions.fleet import Beat
from sessions.ids import WorkerId
from sessions.model import Newcomer
from sessions.states import State
from sessions.store import SessionStore
from supervisor.absent_workers import AbsentWorkers
from supervisor.dispatches import Dispatcher
from supervisor.endings import RoomCloser
from supervisor.leases import LeaseSweeper
from tests.integration.sessions.conftest import newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore, Media, come

START_MS = 1_000_000
CLAIM_MS = 10_000


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, redispatch_limit=0)


async def started(store: SessionStore, rooms: Rooms) -> Newcomer:
    """Start a session as a token server does: with its room, and an agent sent for."""
    session = newcomer(user=None)
    await store.admit(session)
    await rooms.open(session.room, "{}")
    return session


async def test_who_starts_before_the_first_worker_is_served_as_soon_as_it_comes(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A session starts; LiveKit drops the job. 2. A worker comes, 5 s later.

    Result: another agent is sent at once, though the first had time left; no try is used up, and
    none was there to be used.
    """
    del media
    session = await started(store, rooms)
    absent, dispatcher = AbsentWorkers(store), Dispatcher(store, rooms)
    await pass_time(store, 5_000)
    assert await absent.look_once() == 0
    assert await dispatcher.dispatch_due_once() == 0
    await come(store)
    assert await absent.look_once() == 1
    assert await dispatcher.dispatch_due_once() == 1
    waiting = await store.get(session.id)
    assert (waiting.status, waiting.epoch, waiting.losses_ms) == (State.STARTING, 2, ())
    assert await absent.look_once() == 0


async def test_while_nobody_is_there_nobody_is_judged_for_not_coming(
    store: SessionStore, rooms: Rooms, media: Media, caplog: pytest.LogCaptureFixture
) -> None:
    """1. A session starts. 2. The agent's time is up; no worker has come. 3. One comes.

    Result: the session waits, which is told once; then an agent is sent.
    """
    del media
    session = await started(store, rooms)
    stranded: list[int] = []
    absent, dispatcher = AbsentWorkers(store, stranded.append), Dispatcher(store, rooms)
    await absent.look_once()
    await absent.look_once()
    assert [one.message for one in caplog.records].count("no worker is there; sessions wait") == 1
    await pass_time(store, CLAIM_MS)
    assert await dispatcher.dispatch_due_once() == 0
    assert (await store.get(session.id)).status is State.STARTING
    await absent.look_once()
    assert stranded == [1, 1, 1]
    await come(store)
    # It counts for nothing: this store allows no loss.
    assert await dispatcher.dispatch_due_once() == 1
    assert (await store.get(session.id)).epoch == 2


async def test_nobody_waits_for_ever(store: SessionStore, rooms: Rooms, media: Media) -> None:
    """No worker comes. Result: honest words when the slot's time is up."""
    del media
    session = await started(store, rooms)
    sweeper = LeaseSweeper(store)
    await pass_time(store, 30_000)
    await sweeper.sweep_once()
    await pass_time(store, 1_000)
    assert await sweeper.sweep_once() == 1
    await RoomCloser(store, rooms).close_once()
    failed = await store.get(session.id)
    assert (failed.status, failed.error) == (
        State.FAILED,
        "No agent came in time. Please try again.",
    )


async def test_who_was_sent_when_the_worker_came_is_on_the_way(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A worker is listed; LiveKit does not know it yet. 2. A session starts. 3. LiveKit does.

    Result: whoever was sent within a second before is left alone; who was sent earlier is not.
    """
    del media
    await come(store, livekit_id=None)
    early = await started(store, rooms)
    absent = AbsentWorkers(store)
    assert await absent.look_once() == 0
    await store.end(early.id)
    await pass_time(store, 3_000)
    late = await started(store, rooms)
    await pass_time(store, 500)
    beat = Beat(active=0, idle=1, load=0.0, spawned=1, livekit_id="AW_1")
    await store.fleet.renew(WorkerId("worker-1"), beat)
    assert await absent.look_once() == 0
    assert (await store.get(late.id)).epoch == 1
    # A new id, after its connection was lost for a moment, changes nothing.
    await pass_time(store, 5_000)
    await store.fleet.renew(WorkerId("worker-1"), beat)
    assert await absent.look_once() == 0


async def test_a_worker_that_drains_counts_for_none(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    del media
    await started(store, rooms)
    await pass_time(store, 3_000)
    await come(store)
    await store.fleet.drain(WorkerId("worker-1"))
    assert await AbsentWorkers(store).look_once() == 0
    await store.fleet.drain(WorkerId("worker-1"), is_draining=False)
    assert await AbsentWorkers(store).look_once() == 1
