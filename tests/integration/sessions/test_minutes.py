"""What is counted minute by minute: once each, in the right minute, and for two hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest
from redis.asyncio import Redis

from sessions.errors import InvalidInput
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.minutes import History, Minute
from sessions.model import LossCause, Start
from sessions.settings import MINUTES_KEPT, STARTUP_EDGES_MS, StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]

MINUTE_MS = 60_000
#: The first moment of a minute.
START_MS = 28_000_000 * MINUTE_MS
NOTHING = dict.fromkeys(("admitted", "ready", "failed", "ended", "expired"), 0)


def counts(minute: Minute) -> dict[str, int]:
    """Return what happened in a minute, without what did not."""
    return {name: number for name, number in asdict(minute).items() if number and name != "at_ms"}


async def told(store: SessionStore, minutes: int) -> list[dict[str, int]]:
    return [counts(minute) for minute in (await store.views.history(minutes)).minutes]


async def admitted(store: SessionStore) -> SessionId:
    session = newcomer(user=None)
    await store.admit(session, may_wait=True)
    return session.id


async def served(store: SessionStore, *, after_ms: int = 0) -> SessionId:
    """Start a session whose agent is there after a while."""
    session_id = await admitted(store)
    store.now_ms = (store.now_ms or 0) + after_ms
    await store.claim(session_id, 1, agent())
    await store.mark_ready(session_id, 1)
    return session_id


async def test_a_store_where_nothing_happened_has_minutes_of_nothing(
    make_store: MakeStore,
) -> None:
    history = await make_store(now_ms=START_MS + 59_999).views.history(3)
    assert [asdict(minute) for minute in history.minutes] == [
        {"at_ms": START_MS - back * MINUTE_MS, **NOTHING} for back in (2, 1, 0)
    ]
    assert history.startups == (0,) * (len(STARTUP_EDGES_MS) + 1)
    assert history.success_rate is None


async def test_each_step_counts_in_its_own_minute(make_store: MakeStore) -> None:
    """A session is admitted in the last ms of a minute, ready in the first of the next, …"""
    store = make_store(now_ms=START_MS + MINUTE_MS - 1)
    session_id = await served(store, after_ms=1)
    await store.mark_joined(session_id)
    store.now_ms = START_MS + 3 * MINUTE_MS - 1
    await store.end(session_id)
    store.now_ms += 1
    await store.mark_closed(session_id)
    assert await told(store, 4) == [{"admitted": 1}, {"ready": 1}, {"ended": 1}, {}]


async def test_every_way_to_end_counts_once(make_store: MakeStore) -> None:
    """One ends, one fails, one gives up in line; all of them are told so twice."""
    store = make_store(now_ms=START_MS, max_sessions=2, ticket_ttl_s=10)
    one, other, waiting = [await admitted(store) for _ in range(3)]
    for _ in range(2):
        await store.end(one)  # lets in who waits
        await store.fail(other, "x")
        await store.mark_closed(one)
        await store.mark_closed(other)
    late = [await admitted(store) for _ in range(2)][-1]
    await pass_time(store, 10_001)
    for _ in range(2):
        await store.queue.advance()
    assert (await store.get(waiting)).status == "starting"
    assert (await store.get(late)).status == "expired"
    assert await told(store, 1) == [{"admitted": 4, "ended": 1, "failed": 1, "expired": 1}]


async def test_what_is_repeated_counts_once(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS), newcomer()
    for _ in range(3):
        await store.admit(session)
    for _ in range(3):
        await store.claim(session.id, 1, agent())
        await store.mark_ready(session.id, 1)
    assert await told(store, 1) == [{"admitted": 1, "ready": 1}]


async def test_an_agent_in_place_of_a_lost_one_is_no_start(make_store: MakeStore) -> None:
    """It is ready again after a second, and counts neither there nor among the latencies."""
    store = make_store(now_ms=START_MS)
    session_id = await served(store, after_ms=100)
    await store.lose(session_id, "x", epoch=1, is_certain=True)
    store.now_ms = START_MS + 1_100
    await store.claim(session_id, 2, agent("AJ_two"))
    await store.mark_ready(session_id, 2)
    assert (await store.get(session_id)).status == "ready"
    history = await store.views.history(1)
    assert counts(history.minutes[0]) == {"admitted": 1, "ready": 1}
    assert history.startups == (1, 0, 0, 0, 0, 0, 0)


async def test_all_is_counted_since_the_store_is_there(make_store: MakeStore) -> None:
    """A start, a crash and its replacement, another loss, an end: some hours apart."""
    store = make_store(now_ms=START_MS)
    assert await store.views.totals() == {}
    session_id = await served(store, after_ms=100)
    crash = LossCause.CRASHED
    await store.lose(session_id, "x", cause=crash, epoch=1, is_certain=True)
    assert not (await store.lose(session_id, "x", cause=LossCause.NO_AGENT)).changed
    await store.claim(session_id, 2, agent("AJ_two"))
    store.now_ms = START_MS + 300 * MINUTE_MS
    await store.end(session_id)
    await store.end(session_id)
    assert await store.views.totals() == {"admitted": 1, "ready": 1, "ended": 1, "lost:crashed": 1}


async def test_the_first_agent_learns_how_long_it_took_and_no_other(
    make_store: MakeStore,
) -> None:
    """1. A session waits in line, gets its slot, its agent is sent, comes, and can be heard. 2. It
    is told so once more. 3. It is lost, and another comes.
    """
    store = make_store(now_ms=START_MS, max_sessions=1)
    other = await admitted(store)
    session = newcomer()
    await store.admit(session, may_wait=True)
    store.now_ms = START_MS + 4_000
    await store.end(other)
    store.now_ms = START_MS + 4_010
    assert (await store.dispatch(session.id)).changed
    await store.claim(session.id, 1, agent())
    store.now_ms = START_MS + 4_500
    told_first = await store.mark_ready(session.id, 1)
    assert told_first.start == Start(
        waited_ms=4_000, sent_ms=10, startup_ms=500, sent_at_ms=START_MS + 4_010
    )
    assert (await store.mark_ready(session.id, 1)).start is None
    await store.lose(session.id, "x", epoch=1, is_certain=True)
    await store.claim(session.id, 2, agent("AJ_two"))
    assert (await store.mark_ready(session.id, 2)).start is None


async def test_a_session_without_an_agent_that_fails_is_no_start(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, redispatch_limit=0)
    session_id = await admitted(store)
    await store.lose(session_id, "x", epoch=1, is_certain=True)
    assert await told(store, 1) == [{"admitted": 1, "failed": 1}]


@pytest.mark.parametrize(
    ("took_ms", "place"),
    [
        *[(0, 0), (250, 0), (251, 1), (500, 1), (1_000, 2), (1_001, 3)],
        *[(5_000, 4), (10_000, 5), (10_001, 6)],
    ],
)
async def test_a_latency_counts_up_to_its_edge(
    make_store: MakeStore, took_ms: int, place: int
) -> None:
    store = make_store(now_ms=START_MS)
    await served(store, after_ms=took_ms)
    startups = (await store.views.history(1)).startups
    assert startups == tuple(int(at == place) for at in range(len(STARTUP_EDGES_MS) + 1))


async def test_latencies_are_of_the_asked_minutes_only(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, max_sessions=100)
    for minute, took_ms in enumerate((100, 300, 20_000)):
        store.now_ms = START_MS + minute * MINUTE_MS
        await served(store, after_ms=took_ms)
    assert (await store.views.history(1)).startups == (0, 0, 0, 0, 0, 0, 1)
    assert (await store.views.history(2)).startups == (0, 1, 0, 0, 0, 0, 1)
    assert (await store.views.history(3)).startups == (1, 1, 0, 0, 0, 0, 1)


async def test_the_ring_forgets_what_is_two_hours_old(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. Something happens in each of 130 minutes, in the first ten twice. 2. Nothing does for
    an hour. 3. Something does again.

    Result: never more than 120 fields, and no minute that has what another one had.
    """
    store = make_store(max_sessions=10_000)
    for minute in range(MINUTES_KEPT + 10):
        store.now_ms = START_MS + minute * MINUTE_MS
        for _ in range(2 if minute < 10 else 1):
            await admitted(store)
    assert await told(store, MINUTES_KEPT) == [{"admitted": 1}] * MINUTES_KEPT
    name = Keys(settings.redis_prefix).minutes
    assert await redis.hlen(name) == MINUTES_KEPT
    last_ms = START_MS + (MINUTES_KEPT + 9) * MINUTE_MS
    store.now_ms = last_ms + 60 * MINUTE_MS
    assert await told(store, MINUTES_KEPT) == [{"admitted": 1}] * 60 + [{}] * 60
    await admitted(store)
    assert (await told(store, 2)) == [{}, {"admitted": 1}]
    assert await redis.hlen(name) == MINUTES_KEPT
    store.now_ms = last_ms + (60 + MINUTES_KEPT) * MINUTE_MS
    assert await told(store, MINUTES_KEPT) == [{}] * MINUTES_KEPT


async def test_what_is_kept_stays_small(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """Every minute has large numbers: Redis still keeps them packed, in a few KB."""
    store, name = make_store(now_ms=START_MS), Keys(settings.redis_prefix).minutes
    for minute in range(MINUTES_KEPT):
        await redis.hset(name, str(minute), f"{28_000_000 + minute}" + " 999" * 12)
    store.now_ms = START_MS + 30 * MINUTE_MS
    await admitted(store)
    assert await redis.object("encoding", name) in {b"listpack", "listpack", "ziplist"}
    assert int(await redis.memory_usage(name) or 0) < 16_000


async def test_other_numbers_of_another_version_begin_anew(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """The field of this very minute has fewer counts than this code knows."""
    store = make_store(now_ms=START_MS)
    minute = START_MS // MINUTE_MS
    await redis.hset(Keys(settings.redis_prefix).minutes, str(minute % MINUTES_KEPT), f"{minute} 7")
    assert await told(store, 1) == [{"admitted": 7}]
    await served(store)
    assert await told(store, 1) == [{"admitted": 1, "ready": 1}]


@pytest.mark.parametrize(
    ("ready", "failed", "expected"), [(0, 0, None), (3, 1, 0.75), (0, 2, 0.0), (2, 0, 1.0)]
)
def test_the_share_of_starts_that_came_to_something(
    ready: int, failed: int, expected: float | None
) -> None:
    minutes = (Minute(at_ms=0, ready=ready), Minute(at_ms=MINUTE_MS, failed=failed))
    assert History(minutes=minutes, startups=()).success_rate == expected


@pytest.mark.parametrize("minutes", [0, -1, MINUTES_KEPT + 1])
async def test_more_is_not_kept(store: SessionStore, minutes: int) -> None:
    with pytest.raises(InvalidInput):
        await store.views.history(minutes)


async def test_the_clock_is_that_of_redis(store: SessionStore) -> None:
    """Without a time of the test's: just now is in the last minute, or in the one before."""
    await admitted(store)
    history = await store.views.history(2)
    assert sum(minute.admitted for minute in history.minutes) == 1
    assert 0 <= await store.now() - history.minutes[-1].at_ms < MINUTE_MS
