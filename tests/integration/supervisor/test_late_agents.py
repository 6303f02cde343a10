"""An agent that does not come: LiveKit is asked whether any worker took its job."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from bench.workers import working
from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.model import Newcomer
from sessions.states import State
from sessions.store import SessionStore
from supervisor.dispatches import Dispatcher
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore, Media, come
from tests.support.clock import Clock
from tests.support.gate import gate_before
from tests.support.servers import LiveKitServer, neutral_environment
from tests.support.wait import eventually

START_MS = 1_000_000
SOON_MS = 4_000
LATEST_MS = 10_000
#: The second agent that is sent in place of a lost one.
BACKOFF_MS = 1_000
_STARTS = 4
_COMES_WITHIN_S = 30.0

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
async def store(make_store: MakeStore) -> SessionStore:
    """A fleet that has a worker, as far as it knows."""
    store = make_store(now_ms=START_MS, max_sessions=100, redispatch_limit=10)
    await come(store)
    return store


async def _learn(store: SessionStore, claims_ms: Iterable[int]) -> None:
    for number, claim_ms in enumerate(claims_ms):
        one = newcomer(user=None)
        await store.admit(one)
        await pass_time(store, claim_ms)
        await store.claim(one.id, 1, agent(f"AJ_{number}"))
        await store.end(one.id)
        await store.mark_closed(one.id)


@pytest.fixture
async def taker(
    livekit_server: LiveKitServer, room_settings: RoomSettings, tmp_path: Path
) -> AsyncIterator[None]:
    """A worker that takes our jobs; its agents join, and never claim a session."""
    server = livekit_server
    variables = neutral_environment() | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    module = ("tests.support.taking_worker", "start")
    async with working(
        module, variables, agent_name=room_settings.agent_name, log=tmp_path / "taker.log"
    ):
        yield


async def _start(store: SessionStore, rooms: Rooms) -> Newcomer:
    session = newcomer(user=None)
    await store.admit(session)
    await pass_time(store, SOON_MS)
    assert await Dispatcher(store, rooms).dispatch_due_once() == 1
    return session


async def _start_with_agent(store: SessionStore, rooms: Rooms) -> Newcomer:
    """Start sessions until a worker takes the job of one: on a busy machine LiveKit drops some."""
    for _ in range(_STARTS):
        session = await _start(store, rooms)

        async def has_come(room: str = session.room) -> bool:
            return len(await rooms.agents(room)) == 1

        with suppress(AssertionError):
            await eventually(has_come, _COMES_WITHIN_S)
            return session
        await store.end(session.id)
    raise AssertionError("no agent came into any of the rooms")


@pytest.mark.parametrize(
    ("claims_ms", "missed_ms"), [((), 4_000), ((500,) * 20, 4_000), ((2_000,) * 20, 6_000)]
)
async def test_a_fleet_learns_how_fast_its_agents_come(
    make_store: MakeStore, claims_ms: tuple[int, ...], missed_ms: int
) -> None:
    """Result: one that does not come is missed after 4 s, or three times what they took."""
    fleet = make_store(now_ms=START_MS, max_sessions=100)
    await _learn(fleet, claims_ms)
    session = newcomer(user=None)
    await fleet.admit(session)
    await pass_time(fleet, missed_ms - 1)
    assert await fleet.queue.due() == []
    await pass_time(fleet, 1)
    assert await fleet.queue.due() == [session.id]


async def test_a_job_that_nobody_took_is_given_up_soon(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A worker is listed, and LiveKit gives the job to nobody. Result: another is sent."""
    session = await _start(store, rooms)
    assert (await store.get(session.id)).epoch == 2
    await pass_time(store, SOON_MS)
    assert await Dispatcher(store, rooms).dispatch_due_once() == 1
    assert await media.epochs_sent(session.room) == [2, 3]


async def test_a_job_that_nobody_took_is_nobodys_failure_for_a_while(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """1. LiveKit gives the job to nobody, again and again, as with a worker that stands still.

    Result: in a fleet that allows no loss at all others are sent for as long as a start may take;
    then the session fails with words for its user.
    """
    store = make_store(now_ms=START_MS, redispatch_limit=0)
    await come(store)
    session = newcomer(user=None)
    await store.admit(session)
    await media.make(session.room)
    dispatcher = Dispatcher(store, rooms)
    for _ in range(7):
        await pass_time(store, SOON_MS)
        assert await dispatcher.dispatch_due_once() == 1
    assert (await store.get(session.id)).losses_ms == ()
    await pass_time(store, SOON_MS)
    assert await dispatcher.dispatch_due_once() == 0
    failed = await store.get(session.id)
    assert (failed.status, failed.error) == (
        State.ENDING,
        "No agent came in time. Please try again.",
    )
    assert await media.epochs_sent(session.room) == [2, 3, 4, 5, 6, 7, 8]


@pytest.mark.usefixtures("taker")
async def test_a_job_that_was_taken_is_waited_for(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A worker takes the job, and its agent joins. 2. It does not claim the session.

    Result: nothing is sent until the latest moment; to send sooner would, in a burst, double the
    work of those who are slow.
    """
    session = await _start_with_agent(store, rooms)
    dispatcher = Dispatcher(store, rooms)
    await pass_time(store, LATEST_MS - 1)
    assert await store.queue.due() == [session.id]
    assert await dispatcher.dispatch_due_once() == 0
    await pass_time(store, 1)
    assert await dispatcher.dispatch_due_once() == 0
    await pass_time(store, BACKOFF_MS)
    assert await dispatcher.dispatch_due_once() == 1
    assert await media.epochs_sent(session.room) == [2, 3]


async def test_after_livekit_was_away_nobody_is_judged_at_once(
    store: SessionStore, room_settings: RoomSettings, media: Media, livekit_server: LiveKitServer
) -> None:
    """1. An agent is on its way. 2. LiveKit cannot be reached for longer than it may take.

    Result: once it is back, the agent has as long to come as one that is sent then.
    """
    clock = Clock()
    async with gate_before(livekit_server.port) as gate:
        changes = {"livekit_url": f"ws://127.0.0.1:{gate.port}", "livekit_breaker_open_s": 0.1}
        async with open_rooms(room_settings.model_copy(update=changes)) as rooms:
            session = await _start(store, rooms)
            dispatcher = Dispatcher(store, rooms, clock=clock)
            await pass_time(store, LATEST_MS)
            await gate.shut()
            assert await dispatcher.dispatch_due_once() == 0
            await gate.open()

            async def is_back() -> bool:
                return bool(await rooms.metadata([session.room]))

            await eventually(is_back)
            clock.now += LATEST_MS / 1000 - 0.1
            assert await dispatcher.dispatch_due_once() == 0
            clock.now += 0.1
            assert await dispatcher.dispatch_due_once() == 0
            await pass_time(store, BACKOFF_MS)
            assert await dispatcher.dispatch_due_once() == 1
    assert await media.epochs_sent(session.room) == [2, 3]
