"""Each session that gets a slot is counted in its second, for an hour, whatever the clock does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from sessions.keys import Keys
from sessions.settings import SECONDS_KEPT, StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import newcomer, pass_time

MakeStore = Callable[..., SessionStore]

START_S = 1_700_000_000


async def admit(store: SessionStore, second: int) -> None:
    store.now_ms = second * 1000 + 999
    session = newcomer(user=None)
    await store.admit(session)
    await store.end(session.id)


async def seconds_of(store: SessionStore) -> dict[int, int]:
    return dict((await store.fleet.arrivals()).seconds)


async def test_where_nobody_came_there_are_none(make_store: MakeStore) -> None:
    arrivals = await make_store(now_ms=START_S * 1000).fleet.arrivals()
    assert (arrivals.now_s, arrivals.seconds) == (START_S, ())


async def test_they_are_counted_in_their_second(make_store: MakeStore) -> None:
    store = make_store(now_ms=0)
    for second in (START_S, START_S, START_S + 1, START_S + 61, START_S + 61, START_S + 61):
        await admit(store, second)
    assert await seconds_of(store) == {START_S: 2, START_S + 1: 1, START_S + 61: 3}
    arrivals = await store.fleet.arrivals()
    assert [arrivals.since(START_S + later) for later in (0, 1, 2, 62)] == [6, 4, 3, 0]


async def test_who_waits_in_line_is_counted_when_the_wait_is_over(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_S * 1000, max_sessions=1)
    first, second = newcomer(user=None), newcomer(user=None)
    await store.admit(first)
    await store.admit(second, may_wait=True)
    assert await seconds_of(store) == {START_S: 1}
    await pass_time(store, 5_000)
    await store.end(first.id)
    assert await seconds_of(store) == {START_S: 1, START_S + 5: 1}


async def test_an_hour_later_they_are_forgotten_whoever_comes_then(make_store: MakeStore) -> None:
    """The ring comes round: what stands in the place of a second is of that second only."""
    store = make_store(now_ms=0)
    for second in (START_S, START_S + 1, START_S + 2):
        await admit(store, second)
    await admit(store, START_S + SECONDS_KEPT + 1)
    assert await seconds_of(store) == {START_S + 2: 1, START_S + SECONDS_KEPT + 1: 1}


async def test_after_a_silence_of_hours_nothing_old_comes_back(make_store: MakeStore) -> None:
    store = make_store(now_ms=0)
    await admit(store, START_S)
    await admit(store, START_S + 3 * SECONDS_KEPT)
    assert await seconds_of(store) == {START_S + 3 * SECONDS_KEPT: 1}
    store.now_ms = (START_S + 5 * SECONDS_KEPT) * 1000
    assert await seconds_of(store) == {}


async def test_a_clock_that_is_set_back_forgets_nothing(make_store: MakeStore) -> None:
    store = make_store(now_ms=0)
    for second in (START_S, START_S + 10, START_S + 4, START_S + 11):
        await admit(store, second)
    expected = {START_S: 1, START_S + 4: 1, START_S + 10: 1, START_S + 11: 1}
    assert await seconds_of(store) == expected


async def test_a_second_has_three_digits(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """998 that came before are written there; two more do not spoil the seconds beside."""
    store, name = make_store(now_ms=0), Keys(settings.redis_prefix).arrivals
    await admit(store, START_S)
    await redis.setrange(name, 10 + 3 * (START_S % SECONDS_KEPT), "998")
    for second in (START_S, START_S, START_S + 1):
        await admit(store, second)
    assert await seconds_of(store) == {START_S: 999, START_S + 1: 1}


async def test_it_takes_the_same_room_whoever_comes_and_is_gone_after_an_hour(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    store, name = make_store(now_ms=0), Keys(settings.redis_prefix).arrivals
    for later in (0, 1, 59, 3_000, SECONDS_KEPT, 10 * SECONDS_KEPT):
        await admit(store, START_S + later)
        assert await redis.strlen(name) == 10 + 3 * SECONDS_KEPT
        assert 0 < await redis.ttl(name) <= SECONDS_KEPT


@pytest.mark.usefixtures("redis")
class TestAnyOrder:
    """Against a count in Python."""

    @given(steps=st.lists(st.integers(0, 2 * SECONDS_KEPT), min_size=1, max_size=12))
    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    async def test_what_is_read_is_what_came(self, make_store: MakeStore, steps: list[int]) -> None:
        store, counted, second = make_store(now_ms=0), Counter[int](), START_S
        await store.fleet.arrivals()
        await _clear(store)
        for step in steps:
            second += step
            counted[second] += 1
            await admit(store, second)
        kept = {at: number for at, number in counted.items() if at > second - SECONDS_KEPT}
        assert await seconds_of(store) == kept


async def _clear(store: SessionStore) -> None:
    """Begin anew: the examples of one test share their Redis."""
    engine = store.fleet._engine
    await engine.redis.delete(engine.keys.arrivals)
