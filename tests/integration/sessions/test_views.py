"""Lists and counts of many sessions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessions.errors import InvalidInput
from sessions.fleet import Registration
from sessions.ids import SessionId, UserId, WorkerId
from sessions.states import State
from sessions.store import SessionStore
from sessions.views import Line
from tests.integration.sessions.conftest import agent, newcomer

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000


async def pages(store: SessionStore, state: State, limit: int) -> list[list[SessionId]]:
    found, after = [], None
    while True:
        page = await store.views.by_state(state, limit=limit, after=after)
        found.append([session.id for session in page.sessions])
        after = page.next
        if after is None:
            return found


async def admit(store: SessionStore, count: int, *, user: str | None = "ada") -> list[SessionId]:
    sessions = [newcomer(user=user) for _ in range(count)]
    for session in sessions:
        await store.admit(session, may_wait=True)
    return [session.id for session in sessions]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10])
async def test_pages_hold_every_session_once_even_of_the_same_moment(
    make_store: MakeStore, limit: int
) -> None:
    store = make_store(now_ms=START_MS)
    ids = await admit(store, 4)
    store.now_ms = START_MS + 10
    ids += await admit(store, 3)
    found = [one for page in await pages(store, State.STARTING, limit) for one in page]
    assert len(found) == 7
    assert set(found) == set(ids)
    assert set(found[:3]) == set(ids[4:])


async def test_the_queue_is_listed_from_its_head(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    _, *waiting = await admit(store, 8, user=None)
    found = [one for page in await pages(store, State.QUEUED, 3) for one in page]
    assert found == waiting


async def test_rooms_to_be_closed_are_listed_the_oldest_first(make_store: MakeStore) -> None:
    store, ended = make_store(now_ms=START_MS), []
    for session_id in await admit(store, 3):
        store.now_ms = (store.now_ms or 0) + 10
        await store.end(session_id)
        ended.append(session_id)
    assert [one.id for one in (await store.views.by_state(State.ENDING)).sessions] == ended


async def test_filters(store: SessionStore) -> None:
    await admit(store, 3)
    (of_eve,) = await admit(store, 1, user="eve")
    await store.claim(of_eve, 1, agent(worker="worker-9"))
    by_user = await store.views.by_state(State.STARTING, user_id=UserId("eve"))
    by_worker = await store.views.by_state(State.STARTING, worker_id=WorkerId("worker-9"))
    assert [one.id for one in by_user.sessions] == [one.id for one in by_worker.sessions]
    assert [one.id for one in by_user.sessions] == [of_eve]
    nobody = await store.views.by_state(State.STARTING, user_id=UserId("zoe"))
    assert nobody.sessions == ()


async def test_what_is_over_is_listed_while_it_is_on_record(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, history_ttl_s=60)
    first, second = await admit(store, 2)
    await store.mark_closed(first)
    store.now_ms = START_MS + 61_000
    await store.mark_closed(second)
    page = await store.views.by_state(State.ENDED)
    assert [one.id for one in page.sessions] == [second]


async def test_a_users_sessions_the_newest_first(store: SessionStore) -> None:
    ids = await admit(store, 3)
    await admit(store, 1, user="eve")
    assert [one.id for one in await store.views.by_user(UserId("ada"))] == ids[::-1]


async def test_the_fleet_at_a_glance(make_store: MakeStore) -> None:
    store = make_store(max_sessions=3)
    ids = await admit(store, 4, user=None)
    await store.claim(ids[0], 1, agent())
    await store.mark_ready(ids[0], 1)
    await store.fleet.register(
        Registration(id=WorkerId("w1"), capacity=5, host="h", version="0.1.0")
    )
    await store.fleet.set_pool_target(4)
    summary = await store.views.summary()
    assert {state: count for state, count in summary.sessions.items() if count} == {
        State.QUEUED: 1,
        State.STARTING: 2,
        State.READY: 1,
    }
    assert (summary.capacity, summary.idle, summary.pool.target) == (3, 0, 4)
    assert [worker.capacity for worker in summary.workers] == [5]
    assert summary.startup_ms[50] is not None
    assert (summary.recent.ready, summary.recent.failed) == (1, 0)
    assert len(summary.recent.minutes) == 15
    assert abs(await store.now() - summary.at_ms) < 60_000


async def test_the_line_and_how_long_its_first_one_waits(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, max_sessions=1)
    assert (await store.views.summary()).line == Line(length=0, oldest_wait_ms=None)
    first, second, _ = await admit(store, 3, user=None)
    store.now_ms = START_MS + 1_500
    await admit(store, 1, user=None)
    assert (await store.views.summary()).line == Line(length=3, oldest_wait_ms=1_500)
    await store.end(first)
    await store.end(second)
    assert (await store.views.summary()).line == Line(length=1, oldest_wait_ms=0)


@pytest.mark.parametrize("cursor", ["", "x", "1;2", "-5:0", "9" * 30, "ä:1", "²:1"])
async def test_what_is_no_cursor(store: SessionStore, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        await store.views.by_state(State.STARTING, after=cursor)
