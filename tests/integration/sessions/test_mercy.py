"""Redis was away: nobody is judged for a silence that was not theirs."""

from __future__ import annotations

from collections.abc import Callable

from sessions.ids import SessionId
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000
LEASE_MS = 6_000


async def _talking(make_store: MakeStore) -> tuple[SessionStore, SessionId]:
    store, session = make_store(now_ms=START_MS, max_sessions=1), newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    return store, session.id


async def _judged(store: SessionStore) -> bool:
    """Say whether two passes, far enough apart, confirm anybody."""
    first = await store.suspects()
    await pass_time(store, 1_000)
    return bool(first or await store.suspects())


async def test_a_second_outage_within_the_mercy_prolongs_it(make_store: MakeStore) -> None:
    """1. Redis is away for an hour, and comes back. 2. It is gone again at once, until just before
    the mercy ends.

    Result: the agent, who had no chance to renew, is not judged.
    """
    store, _ = await _talking(make_store)
    store.now_ms = START_MS + 3_600_000
    await store.queue.advance()
    store.now_ms += LEASE_MS - 50
    await store.queue.advance()
    await pass_time(store, 1_050)
    assert not await _judged(store)


async def test_a_second_outage_gives_no_slot_away(make_store: MakeStore) -> None:
    """1. Redis is away for an hour. 2. It answers one call, and is gone again for a while.

    Result: leases are judged as of before the first outage, not of the call between.
    """
    store, _ = await _talking(make_store)
    store.now_ms = START_MS + 3_600_000
    await store.queue.advance()
    store.now_ms += LEASE_MS - 50
    answer = await store.admit(newcomer(user=None), may_wait=True)
    assert answer.position == 1


async def test_the_mercy_has_an_end(make_store: MakeStore) -> None:
    """1. The agent is dead. 2. Writes are so rare that each looks like the end of an outage.

    Result: it is judged all the same.
    """
    store, _ = await _talking(make_store)
    for _ in range(60):
        store.now_ms = (store.now_ms or 0) + 5_000
        if await store.suspects():
            return
    raise AssertionError("nobody is ever judged")


async def test_a_suspicion_does_not_ripen_while_redis_is_away(make_store: MakeStore) -> None:
    """1. A lease lapses, and a pass notes it. 2. Redis is away for longer than the suspicion.

    Result: the first pass afterwards does not confirm it.
    """
    store, _ = await _talking(make_store)
    await pass_time(store, LEASE_MS)
    assert await store.suspects() == []
    store.now_ms = (store.now_ms or 0) + 20_000
    assert await store.suspects() == []


async def test_a_clock_that_is_set_back_judges_nobody(make_store: MakeStore) -> None:
    """1. There was an outage. 2. The clock of Redis is set back by a minute. 3. The agent renews.

    Result: its lease holds.
    """
    store, session_id = await _talking(make_store)
    store.now_ms = START_MS + 60_000
    await store.queue.advance()
    store.now_ms = START_MS + 5_000
    await store.renew(session_id, 1)
    assert not await _judged(store)


async def test_no_slot_is_given_away_after_an_outage(make_store: MakeStore) -> None:
    store, _ = await _talking(make_store)
    store.now_ms = START_MS + 3_600_000
    answer = await store.admit(newcomer(user=None), may_wait=True)
    assert answer.position == 1
    assert (await store.occupancy()).taken == 1
