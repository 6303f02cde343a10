"""The error budget: counted by the hour for a month, and by the minute for the last hour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.budget import WINDOW_DAYS, Tally
from sessions.errors import InvalidInput
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.notices import MOST_AT_ONCE
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

MakeStore = Callable[..., SessionStore]

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DAY_MS = 24 * HOUR_MS
#: The first moment of an hour.
START_MS = 480_000 * HOUR_MS


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, max_sessions=1_000)


async def begun(store: SessionStore) -> SessionId:
    session = newcomer(user=None)
    await store.admit(session)
    return session.id


async def served(store: SessionStore) -> SessionId:
    session_id = await begun(store)
    await store.claim(session_id, 1, agent())
    await store.mark_ready(session_id, 1)
    return session_id


async def test_a_store_where_nothing_happened_has_all_of_its_budget(store: SessionStore) -> None:
    budget = await store.views.budget()
    assert (budget.window, budget.hour, budget.just_now) == (Tally(), Tally(), Tally())
    assert (budget.remaining, budget.burn_rate) == (1.0, None)


async def test_first_agents_are_good_and_failures_bad(store: SessionStore) -> None:
    """One is served and ends, one is served twice, one fails, one is served and then fails, one
    is left before its agent came: that is neither."""
    await store.end(await served(store))
    again = await served(store)
    await store.lose(again, "x", epoch=1, is_certain=True)
    await store.claim(again, 2, agent("AJ_two"))
    await store.mark_ready(again, 2)
    for session_id in (await begun(store), await served(store)):
        for _ in range(2):
            await store.fail(session_id, "x")
    await store.end(await begun(store))
    budget = await store.views.budget()
    assert budget.window == Tally(good=3, bad=2)
    assert budget.hour == budget.just_now == budget.window
    # Of 1 in 100 that may fail, 40 did.
    assert budget.remaining == pytest.approx(-39)
    assert budget.burn_rate == pytest.approx(40)


async def test_what_is_older_counts_for_less(store: SessionStore) -> None:
    await store.fail(await begun(store), "x")
    for passed_ms, window, hour, just_now in (
        (4 * MINUTE_MS, 1, 1, 1),
        (5 * MINUTE_MS, 1, 1, 0),
        (59 * MINUTE_MS, 1, 1, 0),
        (60 * MINUTE_MS, 1, 0, 0),
        (WINDOW_DAYS * DAY_MS - 1, 1, 0, 0),
        (WINDOW_DAYS * DAY_MS, 0, 0, 0),
    ):
        store.now_ms = START_MS + passed_ms
        budget = await store.views.budget()
        bad = (budget.window.bad, budget.hour.bad, budget.just_now.bad)
        assert bad == (window, hour, just_now), passed_ms


async def test_a_month_of_hours_is_kept_and_no_more(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    """In each hour of 40 days one session fails. Result: those of 30 days, in 31 days of fields."""
    for hour in range(40 * 24):
        store.now_ms = START_MS + hour * HOUR_MS
        await store.fail(await begun(store), "x")
    assert (await store.views.budget()).window == Tally(bad=30 * 24)
    name = Keys(settings.redis_prefix).hours
    assert await redis.hlen(name) == 31 * 24
    # A fleet that nobody uses for some days has its month still.
    assert 30 * 24 * 3600 < await redis.ttl(name) <= 31 * 24 * 3600
    assert int(await redis.memory_usage(name) or 0) < 100_000


async def test_notices_are_bounded(store: SessionStore) -> None:
    await store.office.notices.write({"one": "1", "two": "2"})
    await store.office.notices.write({"two": "3"}, ["one", "three"])
    await store.office.notices.write({})
    assert await store.office.notices.read() == {"two": "3"}
    with pytest.raises(InvalidInput):
        await store.office.notices.write({"x": "x" * 20_000})
    with pytest.raises(InvalidInput):
        await store.office.notices.write({}, [str(number) for number in range(MOST_AT_ONCE + 1)])
