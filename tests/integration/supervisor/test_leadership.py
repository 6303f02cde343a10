"""One supervisor leads at a time; who has been followed by another can write nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from rooms.client import Rooms
from sessions.connection import Temper, connect
from sessions.errors import Deposed
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.leadership import Leadership
from supervisor.leases import LeaseSweeper
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore
from tests.support.gate import gate_before
from tests.support.servers import RedisServer

START_MS = 1_000_000
LEASE_S = 4.0


class Time:
    """A monotonic clock that a test sets, and the clock of Redis with it."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def go_on(self, seconds: float) -> None:
        self.now_s += seconds
        self._store.now_ms = (self._store.now_ms or 0) + round(seconds * 1000)


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS)


@pytest.fixture
def time(store: SessionStore) -> Time:
    return Time(store)


def candidate(
    store: SessionStore, time: Time, is_fit: Callable[[], bool] = lambda: True
) -> Leadership:
    return Leadership(store, lease_s=LEASE_S, is_fit=is_fit, clock=time)


async def test_one_of_ten_leads(store: SessionStore, time: Time) -> None:
    candidates = [candidate(store, time) for _ in range(10)]
    for _ in range(3):
        leads = await asyncio.gather(*(one.campaign_once() for one in candidates))
        assert sum(leads) == 1
        assert [one.leads for one in candidates] == leads
        time.go_on(1)
    (leader,) = [one for one in candidates if one.leads]
    assert leader.term() == 1


async def test_who_dies_is_followed_under_the_next_term(store: SessionStore, time: Time) -> None:
    """1. Another one leads. 2. It is not heard of again. Result: after its lease, not before."""
    first, second = candidate(store, time), candidate(store, time)
    assert await first.campaign_once()
    time.go_on(LEASE_S - 0.001)
    assert not await second.campaign_once()
    time.go_on(0.001)
    assert await second.campaign_once()
    assert (first.leads, second.term()) == (False, 2)
    assert not await first.campaign_once()


async def test_who_stops_in_order_is_followed_at_once(store: SessionStore, time: Time) -> None:
    first, second = candidate(store, time), candidate(store, time)
    await first.campaign_once()
    await second.resign()  # it does not lead, so nothing changes
    assert not await second.campaign_once()
    await first.resign()
    assert not first.leads
    assert await second.campaign_once()
    assert second.term() == 2


@pytest.mark.parametrize("is_fenced", [True, False])
async def test_a_leader_that_was_stopped_can_write_nothing_when_another_leads(
    store: SessionStore, time: Time, *, is_fenced: bool
) -> None:
    """1. A leader finds a lapsed lease. 2. It is stopped before it has judged it, for longer than
    its own lease. 3. Another one leads; the agent is heard of again. 4. The first goes on, with a
    clock that stood still.

    Result: the store refuses it. Without the fence (second case) it fails a session that is well.
    """
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    clock = Time(store)
    first, second = candidate(store, clock), candidate(store, time)
    await first.campaign_once()
    stopped = store.fenced(first.term) if is_fenced else store
    await pass_time(store, 6_000)
    await second.campaign_once()
    assert (first.term(), second.term()) == (1, 2)
    stopped.now_ms = store.now_ms
    if is_fenced:
        with pytest.raises(Deposed):
            await LeaseSweeper(stopped).sweep_once()
        with pytest.raises(Deposed):
            await stopped.fail(session.id, "nobody hears of this")
        assert (await store.get(session.id)).status is State.STARTING
        assert await LeaseSweeper(store.fenced(second.term)).sweep_once() == 0
    else:
        assert (await stopped.fail(session.id, "as an old leader would")).changed


async def test_a_leader_knows_by_itself_when_its_time_is_over(
    store: SessionStore, time: Time
) -> None:
    """Before the store gives its office to another, so that nothing is asked in vain."""
    leader = candidate(store, time)
    fenced = store.fenced(leader.term)
    await leader.campaign_once()
    await fenced.queue.advance()
    time.go_on(LEASE_S - 0.1)
    with pytest.raises(Deposed):
        await fenced.queue.advance()
    assert await leader.campaign_once()
    await fenced.queue.advance()
    assert leader.term() == 1


async def test_who_cannot_reach_livekit_leaves_the_office_to_who_can(
    store: SessionStore, time: Time
) -> None:
    """1. The leader loses LiveKit. 2. It steps down after a while, and stays away for a lease.

    Result: a fit one leads meanwhile. Where there is none, the unfit one leads again: what needs
    no LiveKit is done.
    """
    is_fit = True
    first, second = candidate(store, time, lambda: is_fit), candidate(store, time)
    await first.campaign_once()
    for _ in range(3):
        time.go_on(1)
        assert await first.campaign_once()
    is_fit = False
    passed = 0
    while await first.campaign_once():
        time.go_on(1)
        passed += 1
        assert passed < 20
    assert passed > 3
    assert not await first.campaign_once()
    assert await second.campaign_once()
    await second.resign()
    assert not await first.campaign_once()
    time.go_on(LEASE_S)
    assert await first.campaign_once()
    # And keeps it for a while: to come and go with every lease would help nobody.
    for _ in range(20):
        time.go_on(1)
        assert await first.campaign_once()


async def test_a_clock_that_was_set_back_keeps_nobody_in_office(
    store: SessionStore, time: Time
) -> None:
    """1. Redis's clock is an hour fast. 2. It is put right, and the leader is gone."""
    first, second = candidate(store, time), candidate(store, time)
    await first.campaign_once()
    store.now_ms = START_MS - 3_600_000
    assert await second.campaign_once()


@pytest.fixture
async def away(redis_server: RedisServer, settings: StoreSettings) -> AsyncIterator[SessionStore]:
    """A store whose Redis does not answer."""
    async with gate_before(redis_server.port) as gate:
        url = f"redis://127.0.0.1:{gate.port}/0"
        changed = settings.model_copy(update={"redis_url": type(settings.redis_url)(url)})
        client = connect(changed, Temper.HASTY)
        await gate.shut()
        yield SessionStore(client, changed)
        await client.aclose()


async def test_without_redis_nobody_is_elected_and_nothing_is_raised(
    away: SessionStore, rooms: Rooms
) -> None:
    del rooms
    leadership = Leadership(away, lease_s=LEASE_S)
    assert not await leadership.campaign_once()
    await leadership.resign()
    with pytest.raises(Deposed):
        leadership.term()
