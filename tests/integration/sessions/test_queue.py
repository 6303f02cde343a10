"""Who waits for a slot: in order, as long as somebody asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.errors import QueueFull, SessionNotFound, StillWaiting, UserBusy
from sessions.ids import SessionId, new_session_id
from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000


async def wait_in_line(store: SessionStore, number: int) -> list[SessionId]:
    """Fill the one slot of a store, then the first places in line; return all ids in order."""
    sessions = [newcomer(user=None) for _ in range(1 + number)]
    for session in sessions:
        await store.admit(session, may_wait=True)
    return [session.id for session in sessions]


async def test_who_ends_lets_the_first_in_line_have_the_slot(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    holder, first, second = await wait_in_line(store, 2)
    assert (await store.queue.touch(second)).position == 2
    assert (await store.end(holder)).admitted == (first,)
    assert (await store.get(first)).status is State.STARTING
    assert await store.queue.due() == [first]
    assert (await store.queue.touch(second)).position == 1
    assert (await store.queue.touch(first)).position is None


async def test_a_place_in_line_is_no_slot(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    _, waiting = await wait_in_line(store, 1)
    with pytest.raises(StillWaiting):
        await store.claim(waiting, 1, agent())
    assert (await store.occupancy()).taken == 1


async def test_nobody_overtakes_even_where_a_slot_is_free(make_store: MakeStore) -> None:
    """1. The only slot heals by itself. 2. Somebody new asks before any loop has looked.

    Result: the first in line has the slot, the newcomer the last place.
    """
    store = make_store(max_sessions=1, now_ms=START_MS, ticket_ttl_s=600)
    _, first, second = await wait_in_line(store, 2)
    await pass_time(store, 61_000)
    answer = await store.admit(newcomer(user=None), may_wait=True)
    assert answer.admitted == (first,)
    assert (answer.status, answer.position) == (State.QUEUED, 2)
    assert (await store.queue.touch(second)).position == 1


async def test_a_poll_moves_the_line_on_without_any_loop(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=START_MS, ticket_ttl_s=600)
    _, first = await wait_in_line(store, 1)
    await pass_time(store, 61_000)
    place = await store.queue.touch(first)
    assert (place.status, place.admitted, place.position) == (State.STARTING, (first,), None)


async def test_a_ticket_nobody_asks_for_lapses(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=START_MS)
    holder, gone, patient = await wait_in_line(store, 2)
    await store.claim(holder, 1, agent())
    for _ in range(3):
        await pass_time(store, 5_000)
        await store.renew(holder, 1)
        await store.queue.touch(patient)
    assert (await store.get(gone)).status is State.EXPIRED
    assert (await store.queue.touch(patient)).position == 1


async def test_tickets_lapse_anywhere_in_the_line(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=START_MS)
    holder, patient, gone, last = await wait_in_line(store, 3)
    await store.claim(holder, 1, agent())
    for _ in range(2):
        await pass_time(store, 7_000)
        for one in (patient, last):
            await store.queue.touch(one)
    await pass_time(store, 1_000)
    progress = await store.queue.advance()
    assert (progress.admitted, progress.expired) == ((), (gone,))
    assert (await store.queue.touch(last)).position == 2


async def test_a_lapsed_ticket_is_passed_over_even_if_no_loop_runs(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=START_MS)
    holder, gone, patient = await wait_in_line(store, 2)
    await pass_time(store, 14_000)
    await store.queue.touch(patient)
    await pass_time(store, 2_000)
    assert (await store.end(holder)).admitted == (patient,)
    assert (await store.get(gone)).status is State.EXPIRED


async def test_who_waits_in_the_room_needs_no_polling(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=START_MS)
    holder, inside = await wait_in_line(store, 1)
    await store.mark_joined(inside)
    await store.claim(holder, 1, agent())
    for _ in range(20):
        await pass_time(store, 3_000)
        await store.renew(holder, 1)
        assert (await store.queue.advance()).expired == ()
    assert (await store.end(holder)).admitted == (inside,)


async def test_leaving_the_line(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    _, first, second = await wait_in_line(store, 2)
    assert (await store.queue.cancel(first)).status is State.ENDED
    assert not (await store.queue.cancel(first)).changed
    assert (await store.queue.touch(second)).position == 1


async def test_the_line_has_an_end(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, queue_limit=2)
    await wait_in_line(store, 2)
    with pytest.raises(QueueFull):
        await store.admit(newcomer(user=None), may_wait=True)


async def test_a_user_has_so_many_places_in_line(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, user_queue_limit=2)
    await store.admit(newcomer())
    first = newcomer()
    for session in (first, newcomer()):
        await store.admit(session, may_wait=True)
    with pytest.raises(UserBusy):
        await store.admit(newcomer(), may_wait=True)
    await store.admit(newcomer(user="eve"), may_wait=True)
    await store.queue.cancel(first.id)
    await store.admit(newcomer(), may_wait=True)


async def test_the_eta_comes_from_how_long_slots_were_held(make_store: MakeStore) -> None:
    store = make_store(max_sessions=2, now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    await pass_time(store, 20_000)
    await store.end(session.id)
    for _ in range(2):
        await store.admit(newcomer(user=None))
    places = [await store.admit(newcomer(user=None), may_wait=True) for _ in range(3)]
    assert [place.eta_ms for place in places] == [10_000, 20_000, 30_000]


async def test_without_any_ended_session_there_is_no_eta(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    await store.admit(newcomer(user=None))
    assert (await store.admit(newcomer(user=None), may_wait=True)).eta_ms is None


async def test_a_larger_capacity_admits_several_at_once(make_store: MakeStore) -> None:
    _, *waiting = await wait_in_line(make_store(max_sessions=1), 30)
    grown = make_store(max_sessions=100)
    first = (await grown.queue.advance()).admitted
    assert list(first) == waiting[: len(first)]
    assert list((await grown.queue.advance()).admitted) == waiting[len(first) :]


async def test_many_lapsed_tickets_do_not_keep_anybody_from_a_free_slot(
    make_store: MakeStore,
) -> None:
    narrow = make_store(max_sessions=1, now_ms=START_MS)
    await wait_in_line(narrow, 40)
    await pass_time(narrow, 16_000)
    wide = make_store(max_sessions=50, now_ms=narrow.now_ms)
    assert (await wide.admit(newcomer(user=None))).status is State.STARTING


async def test_lapsed_tickets_do_not_fill_the_line(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, queue_limit=2, now_ms=START_MS)
    holder, first, _ = await wait_in_line(store, 2)
    await store.claim(holder, 1, agent())
    for _ in range(2):
        await pass_time(store, 7_000)
        await store.queue.touch(first)
        await store.renew(holder, 1)
    await pass_time(store, 2_000)
    answer = await store.admit(newcomer(user=None), may_wait=True)
    assert answer.status is State.QUEUED


async def test_a_waiting_session_whose_record_is_gone_does_not_block_the_line(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    store = make_store(max_sessions=1)
    holder, lost, second = await wait_in_line(store, 2)
    await redis.delete(Keys(settings.redis_prefix).session(lost))
    assert (await store.end(holder)).admitted == (second,)


async def test_an_unknown_ticket(store: SessionStore) -> None:
    with pytest.raises(SessionNotFound):
        await store.queue.touch(new_session_id())
