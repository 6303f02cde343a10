"""The pool follows the traffic: what is noted in the store, and what workers are told of it."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from devstack.services.ports import free_port
from rooms.settings import RoomSettings
from sessions.connection import Temper, connect
from sessions.errors import Deposed
from sessions.fleet import Beat, Registration
from sessions.ids import WorkerId
from sessions.pool import Tuning, Why
from sessions.store import SessionStore
from supervisor.pool_tuner import PoolTuner
from supervisor.settings import SupervisorSettings
from tests.integration.sessions.conftest import newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore
from tests.support.wait import eventually

START_MS = 1_700_000_000_000
#: A Tuesday evening.
EVENING = datetime(2026, 6, 2, 20, 30, tzinfo=UTC)


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, max_sessions=100)


def tuner(room_settings: RoomSettings, store: SessionStore, **changes: object) -> PoolTuner:
    settings = SupervisorSettings(
        livekit_api_key=room_settings.livekit_api_key,
        livekit_api_secret=room_settings.livekit_api_secret,
    )
    return PoolTuner(settings.model_copy(update=changes), store, clock=lambda: EVENING)


async def burst(store: SessionStore, number: int) -> None:
    """Let so many come within a second, and go."""
    for _ in range(number):
        session = newcomer(user=None)
        await store.admit(session)
        await store.end(session.id)


async def work(store: SessionStore, name: str, **beat: object) -> int:
    """Let a worker beat; return how many warm processes the traffic wants of it."""
    said = {"active": 0, "idle": 3, "load": 0.0, "spawned": 3} | beat
    orders = await store.fleet.renew(WorkerId(name), Beat(**said))  # type: ignore[arg-type]
    return orders.traffic_size


async def come(store: SessionStore, *names: str, capacity: int = 50) -> None:
    for name in names:
        await store.fleet.register(
            Registration(id=WorkerId(name), capacity=capacity, host="h", version="0")
        )


async def noted(store: SessionStore) -> Tuning:
    tuning = (await store.fleet.pool()).tuning
    assert tuning is not None
    return tuning


async def test_a_burst_is_remembered_and_the_workers_share_what_it_asks_for(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    """1. Seven come at once. 2. Ten minutes pass.

    Result: seven are wanted at once, and still; the two workers keep four and three of them.
    """
    await come(store, "one", "two")
    assert await work(store, "one") == 0
    await burst(store, 7)
    tuned = tuner(room_settings, store)
    assert await tuned.tune_once() == 1
    assert [await work(store, name) for name in ("one", "two")] == [4, 3]
    await pass_time(store, 600_000, step_ms=60_000)
    assert await tuned.tune_once() == 0
    tuning = await noted(store)
    assert (tuning.size, tuning.why, tuning.starts, tuning.peak) == (7, Why.TRAFFIC, 7, 7)
    assert tuning.hit_share == 1.0


async def test_when_the_hour_has_forgotten_it_the_pool_shrinks_to_its_least(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    await come(store, "one")
    await burst(store, 12)
    tuned = tuner(room_settings, store)
    await tuned.tune_once()
    await pass_time(store, 3_600_000, step_ms=600_000)
    sizes = []
    for _ in range(8):
        await tuned.tune_once()
        sizes.append((await noted(store)).size)
        await pass_time(store, 30_000)
    assert sizes == [12, 12, 6, 6, 3, 3, 1, 1]
    assert (await noted(store)).why is Why.LEAST


async def test_another_leader_goes_on_where_the_last_one_was(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    """The one that leads next knows since when fewer would do."""
    await burst(store, 8)
    await tuner(room_settings, store).tune_once()
    await pass_time(store, 3_600_000, step_ms=600_000)
    await tuner(room_settings, store).tune_once()
    await pass_time(store, 60_000)
    await tuner(room_settings, store).tune_once()
    assert (await noted(store)).size == 4


async def test_how_long_refilling_takes_is_what_the_workers_have_measured(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    """Four come, one each two seconds. Who replaces a process within 1.4 s needs one; who needs
    nine, four."""
    for _ in range(4):
        await burst(store, 1)
        await pass_time(store, 2_000)
    await come(store, "one", "two")
    tuned = tuner(room_settings, store)
    await work(store, "one", refill_ms=1_000)
    await work(store, "two", refill_ms=1_800)
    await tuned.tune_once()
    assert ((await noted(store)).size, (await noted(store)).refill_ms) == (1, 1_400)
    await work(store, "one", refill_ms=9_000)
    await work(store, "two", refill_ms=9_000)
    await tuned.tune_once()
    assert (await noted(store)).size == 4


async def test_an_admin_goes_before_the_traffic_which_is_noted_all_the_same(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    await come(store, "one")
    await burst(store, 5)
    await store.fleet.set_pool_target(2)
    await tuner(room_settings, store).tune_once()
    beat = Beat(active=0, idle=2, load=0, spawned=2)
    orders = await store.fleet.renew(WorkerId("one"), beat)
    assert (orders.pool_size, orders.traffic_size) == (2, 5)
    assert (await noted(store)).size == 5


async def test_it_never_asks_for_more_than_there_are_places(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    await come(store, "one", "two", capacity=2)
    await burst(store, 9)
    await tuner(room_settings, store).tune_once()
    assert ((await noted(store)).size, (await noted(store)).why) == (4, Why.MOST)


async def test_what_is_scheduled_is_there_in_the_zone_of_who_wrote_it(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    """20:30 UTC is 22:30 in Berlin."""
    peak = {"pool_schedule": "tue 22:00-23:00 6"}
    await tuner(room_settings, store, **peak, pool_schedule_zone="Europe/Berlin").tune_once()
    assert ((await noted(store)).size, (await noted(store)).why) == (6, Why.SCHEDULE)


@pytest.mark.parametrize("draining", [("a", "b"), ("d", "e"), ("a", "e")])
@pytest.mark.parametrize("size", [1, 4, 6])
async def test_what_a_draining_worker_would_keep_the_others_do(
    store: SessionStore, room_settings: RoomSettings, size: int, draining: tuple[str, ...]
) -> None:
    """Two of five drain, whichever; an admin's target is shared out in the same way."""
    names = ("a", "b", "c", "d", "e")
    await come(store, *names)
    for name in draining:
        await store.fleet.drain(WorkerId(name))
    for name in names:
        await work(store, name)
    await burst(store, size)
    await tuner(room_settings, store).tune_once()
    kept = {name: await work(store, name) for name in names}
    assert sum(kept.values()) == size
    assert [kept[name] for name in draining] == [0, 0]
    await store.fleet.set_pool_target(7)
    beat = Beat(active=0, idle=0, load=0, spawned=0)
    orders = [await store.fleet.renew(WorkerId(name), beat) for name in names]
    assert sum(one.pool_size or 0 for one in orders) == 7


async def test_one_that_is_gone_leaves_its_share_to_the_others(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    await come(store, "a", "b")
    for name in ("a", "b"):
        await work(store, name)
    await burst(store, 3)
    await tuner(room_settings, store).tune_once()
    assert await work(store, "b") == 1
    await store.fleet.leave(WorkerId("a"))
    assert await work(store, "b") == 3


async def test_what_nobody_renews_lapses(
    make_store: MakeStore, room_settings: RoomSettings
) -> None:
    """By Redis's own clock: after that each worker keeps its own number."""
    store = make_store(max_sessions=100)
    await come(store, "one")
    await burst(store, 3)
    await tuner(room_settings, store).tune_once()
    engine = store.fleet._engine
    left_s = await engine.redis.ttl(engine.keys.pool_tuning)
    assert 0 < left_s <= 30
    await engine.redis.pexpire(engine.keys.pool_tuning, 1)

    async def is_forgotten() -> bool:
        return (await store.fleet.pool()).tuning is None

    await eventually(is_forgotten)
    assert await work(store, "one") == 0


async def test_who_does_not_lead_any_more_says_nothing(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    """1. A leader is stopped in the middle of a pass. 2. Another one leads."""
    first = await store.office.stand("first", lease_s=1)
    fenced = store.fenced(lambda: first.term)
    await pass_time(store, 5_000)
    await store.office.stand("second", lease_s=1)
    await burst(store, 5)
    with pytest.raises(Deposed):
        await tuner(room_settings, fenced).tune_once()
    assert (await store.fleet.pool()).tuning is None


async def test_where_it_is_switched_off_nothing_is_noted(
    store: SessionStore, room_settings: RoomSettings
) -> None:
    await burst(store, 5)
    assert await tuner(room_settings, store, pool_tuning=False).tune_once() == 0
    assert (await store.fleet.pool()).tuning is None


async def test_redis_being_away_is_no_failure_of_the_loop(
    room_settings: RoomSettings,
) -> None:
    """Nobody listens at this port; the pass says that nothing was changed."""
    settings = SupervisorSettings(
        livekit_api_key=room_settings.livekit_api_key,
        livekit_api_secret=room_settings.livekit_api_secret,
        redis_url=SecretStr(f"redis://127.0.0.1:{free_port()}/0"),
    )
    async with aclosing(connect(settings, Temper.HASTY)) as redis:
        assert await PoolTuner(settings, SessionStore(redis, settings)).tune_once() == 0
