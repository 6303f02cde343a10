"""Workers that are too many are drained on the store, one by one, and come back when wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.errors import Deposed
from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, WorkerId
from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from supervisor.scale_in import ScaleIn
from supervisor.scale_settings import ScaleSettings
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore

START_MS = 1_000_000_020_000
PAUSE_MS = 60_000
CAPACITY = 2
A, B, C = (WorkerId(f"w-{name}") for name in "abc")

Scale = Callable[..., ScaleIn]


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, max_sessions=100)


@pytest.fixture
def scale(store: SessionStore, settings: StoreSettings) -> Scale:
    """Builds loops like that of a supervisor, without patience and with nothing in reserve."""

    def make(its_store: SessionStore = store, **changes: object) -> ScaleIn:
        known = settings.model_dump() | {
            "scale_in": True,
            "scale_reserve": 0,
            "scale_min_workers": 1,
            "scale_in_after_s": 0,
            "scale_in_pause_s": PAUSE_MS / 1000,
        }
        return ScaleIn(its_store, ScaleSettings.model_validate(known | changes))

    return make


async def come(
    store: SessionStore, worker_id: WorkerId, active: int = 0, *, is_stopping: bool = False
) -> None:
    """Be in the list, known to LiveKit, with so many calls."""
    await store.fleet.register(
        Registration(id=worker_id, capacity=CAPACITY, host="h", version="0", livekit_id="AW_1")
    )
    await beat(store, worker_id, active, is_stopping=is_stopping)


async def beat(
    store: SessionStore, worker_id: WorkerId, active: int = 0, *, is_stopping: bool = False
) -> None:
    await store.fleet.renew(
        worker_id, Beat(active=active, idle=1, load=0.0, spawned=1, is_draining=is_stopping)
    )


async def talk(store: SessionStore, number: int) -> list[SessionId]:
    """Let so many sessions have a slot."""
    sessions = [newcomer(user=None) for _ in range(number)]
    for session in sessions:
        await store.admit(session)
        await store.claim(session.id, 1, agent(f"AJ_{session.id[:8]}"))
    return [session.id for session in sessions]


async def draining(store: SessionStore) -> set[str]:
    return {worker.id for worker in await store.fleet.workers() if worker.is_draining}


async def three(store: SessionStore) -> list[SessionId]:
    """Three workers, one call with each of two: one is not wanted."""
    for worker_id, active in ((A, 1), (B, 0), (C, 1)):
        await come(store, worker_id, active)
    return await talk(store, 2)


async def test_the_emptiest_is_drained_and_no_call_is_touched(
    store: SessionStore, scale: Scale
) -> None:
    sessions = await three(store)
    loop = scale(scale_reserve=1)
    assert await loop.scale_once() == 1
    assert await draining(store) == {B}
    found = await store.views.sessions(sessions)
    assert all(one.is_live and not one.losses_ms for one in found.values())
    # Two are wanted, and two take calls.
    await pass_time(store, PAUSE_MS)
    assert await loop.scale_once() == 0
    assert await draining(store) == {B}


async def test_nothing_is_done_unless_it_is_switched_on(store: SessionStore, scale: Scale) -> None:
    await three(store)
    assert await scale(scale_in=False).scale_once() == 0
    assert await draining(store) == set()


async def test_one_after_the_other_with_a_pause(store: SessionStore, scale: Scale) -> None:
    """Two are not wanted. Another supervisor, which remembers nothing, keeps the pause, too."""
    await three(store)
    assert await scale().scale_once() == 1
    assert await scale().scale_once() == 0
    await pass_time(store, PAUSE_MS - 1_000)
    assert await scale().scale_once() == 0
    await pass_time(store, 1_000)
    assert await scale().scale_once() == 1
    assert len(await draining(store)) == 2


async def test_the_pause_is_kept_although_the_drained_one_is_gone(
    store: SessionStore, scale: Scale
) -> None:
    await three(store)
    await scale().scale_once()
    await store.fleet.leave(B)
    assert await scale().scale_once() == 0
    await pass_time(store, PAUSE_MS)
    assert await scale().scale_once() == 1


async def test_fewer_have_to_be_enough_for_a_while(store: SessionStore, scale: Scale) -> None:
    """1. Six talk. 2. All but two leave. 3. Five minutes pass, and the rest of the first one.

    Result: nobody is drained before, whoever leads.
    """
    for worker_id in (A, B, C):
        await come(store, worker_id, 2)
    sessions = await talk(store, 6)
    await pass_time(store, 60_000)
    for session_id in sessions[2:]:
        await store.end(session_id)

    async def looked() -> int:
        for worker_id, active in ((A, 1), (B, 0), (C, 1)):
            await beat(store, worker_id, active)
        return await scale(scale_in_after_s=300).scale_once()

    assert await looked() == 0
    await pass_time(store, 299_000)
    assert await looked() == 0
    await pass_time(store, 61_000)
    assert await looked() == 1
    assert await draining(store) == {B}


async def test_who_is_wanted_again_takes_calls_again(store: SessionStore, scale: Scale) -> None:
    """1. Two of three are drained, one of which has a call. 2. Load grows by one, then by two.

    Result: the one with the call comes back first, at once, without a pause; then the other one.
    """
    await three(store)
    loop = scale(scale_in_pause_s=0)
    await loop.scale_once()
    await loop.scale_once()
    first_left = {A, B, C} - await draining(store)
    await talk(store, 1)
    assert await loop.scale_once() == 1
    assert await draining(store) == {B}
    await talk(store, 2)
    assert await loop.scale_once() == 1
    assert await draining(store) == set()
    assert first_left <= {A, C}
    assert await loop.scale_once() == 0


async def test_as_many_as_are_lacking_come_back_at_once(store: SessionStore, scale: Scale) -> None:
    await three(store)
    loop = scale(scale_in_pause_s=0)
    await loop.scale_once()
    await loop.scale_once()
    await talk(store, 3)
    assert await loop.scale_once() == 2
    assert await draining(store) == set()


async def test_what_an_operator_has_drained_stays_drained(
    store: SessionStore, scale: Scale
) -> None:
    """One by an operator alone, one by scale-in first. Then three workers are wanted."""
    await three(store)
    await store.fleet.drain(C)
    assert await scale().scale_once() == 1
    assert await draining(store) == {B, C}
    assert not await store.fleet.drain(B)
    await talk(store, 3)
    assert await scale().scale_once() == 0
    assert not await store.fleet.restore_surplus(C)
    assert await draining(store) == {B, C}
    # What an operator resumes is an operator's, too: there is nothing to bring back.
    assert await store.fleet.drain(B, is_draining=False)
    assert not await store.fleet.restore_surplus(B)


async def test_who_drains_already_is_not_drained_anew(store: SessionStore) -> None:
    """Or an operator's order would become one of scale-in, and be undone."""
    await three(store)
    await store.fleet.drain(B)
    assert not await store.fleet.drain_surplus(B)
    workers = {worker.id: worker for worker in await store.fleet.workers()}
    assert workers[B].surplus_since_ms is None
    assert not (await store.fleet.renew(B, Beat(active=0, idle=1, load=0, spawned=1))).is_surplus


async def test_who_stops_by_itself_does_not_come_back(store: SessionStore, scale: Scale) -> None:
    """1. One is drained as too many. 2. Its platform stops it. 3. It would be wanted again."""
    await three(store)
    await scale(scale_reserve=1).scale_once()
    orders = await store.fleet.renew(B, Beat(active=0, idle=1, load=0, spawned=1))
    assert (orders.is_draining, orders.is_surplus) == (True, True)
    await beat(store, B, is_stopping=True)
    await talk(store, 3)
    assert await scale().scale_once() == 0
    assert await draining(store) == {B}


async def test_nobody_is_drained_for_one_that_cannot_take_calls_yet(
    store: SessionStore, scale: Scale
) -> None:
    """Two are wanted and three are in the list: LiveKit does not know the third one."""
    await come(store, A, 1)
    await come(store, C, 1)
    await store.fleet.register(Registration(id=B, capacity=CAPACITY, host="h", version="0"))
    await talk(store, 2)
    assert await scale(scale_reserve=1).scale_once() == 0
    await store.fleet.renew(B, Beat(active=0, idle=1, load=0, spawned=1, livekit_id="AW_2"))
    assert await scale(scale_reserve=1).scale_once() == 1


async def test_of_two_supervisors_only_the_one_that_leads_scales(
    store: SessionStore, scale: Scale
) -> None:
    """1. Both think that they lead. 2. The store knows better: its term is the second one's."""
    await three(store)
    terms = []
    for name in ("old", "new"):
        terms.append((await store.office.stand(name, lease_s=10)).term)
        await store.office.leave(name)
    old, new = (store.fenced(lambda term=term: term) for term in terms)  # type: ignore[misc]
    with pytest.raises(Deposed):
        await scale(old).scale_once()
    assert await draining(store) == set()
    assert await scale(new).scale_once() == 1
    await talk(store, 4)
    with pytest.raises(Deposed):
        await scale(old).scale_once()
    assert len(await draining(store)) == 1
    assert await scale(new).scale_once() == 1


async def test_two_that_look_at_the_same_moment_drain_one(store: SessionStore) -> None:
    """Both have read the same fleet; the store lets one order through."""
    await three(store)
    pause_s = PAUSE_MS / 1000
    done = [await store.fleet.drain_surplus(one, pause_s=pause_s) for one in (A, B)]
    assert done == [True, False]
    assert await draining(store) == {A}


async def test_what_it_remembers_has_no_key_of_its_own(
    store: SessionStore, scale: Scale, redis: Redis, settings: StoreSettings
) -> None:
    await three(store)
    names = {str(name) async for name in redis.scan_iter(f"{{{settings.redis_prefix}}}:*")}
    await scale().scale_once()
    after = {str(name) async for name in redis.scan_iter(f"{{{settings.redis_prefix}}}:*")}
    assert after == names
    keys = Keys(settings.redis_prefix)
    assert await redis.hget(keys.store, "surplusAt") == str(START_MS)
