"""One session: its slot, its lease, its epoch, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from sessions.errors import (
    AtCapacity,
    InvalidInput,
    NotClaimed,
    SessionNotFound,
    SessionOver,
    StaleEpoch,
)
from sessions.ids import new_session_id
from sessions.model import Vitals
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000
CLAIM_MS = 10_000


async def test_a_session_from_start_to_end(store: SessionStore) -> None:
    session = newcomer()
    admitted = await store.admit(session)
    assert (admitted.changed, admitted.status, admitted.epoch) == (True, State.STARTING, 1)
    assert (await store.claim(session.id, 1, agent())).status is State.STARTING
    assert (await store.mark_ready(session.id, 1)).status is State.READY
    assert (await store.mark_joined(session.id)).status is State.ACTIVE
    assert (await store.renew(session.id, 1)).status is State.ACTIVE
    live = await store.get(session.id)
    assert live.is_live
    assert live.worker_id == "worker-1"
    assert live.agent_pid == 4711
    assert live.prewarmed is True
    assert live.startup_ms is not None
    assert live.ready_at_ms == live.created_at_ms + live.startup_ms
    assert (await store.end(session.id, epoch=1)).changed
    over = await store.get(session.id)
    assert over.is_over
    assert over.error is None
    assert over.ended_at_ms is not None


async def test_why_it_ended_is_kept(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.end(session.id, epoch=1, reason="time_limit" + "!" * 100)
    await store.end(session.id, epoch=1, reason="too late")
    await store.mark_closed(session.id)
    over = await store.get(session.id)
    assert (over.status, over.error) == (State.ENDED, None)
    assert over.reason is not None
    assert over.reason.startswith("time_limit!")
    assert len(over.reason) == 64


async def test_whom_the_user_wanted_to_talk_with_outlasts_an_agent(store: SessionStore) -> None:
    session = replace(newcomer(), persona="interviewer")
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.lose(session.id, "lost", epoch=1, is_certain=True)
    assert (await store.get(session.id)).persona == "interviewer"


async def test_a_user_who_comes_before_the_agent_makes_it_active_at_once(
    store: SessionStore,
) -> None:
    session = newcomer()
    await store.admit(session)
    assert (await store.mark_joined(session.id)).status is State.STARTING
    await store.claim(session.id, 1, agent())
    assert (await store.mark_ready(session.id, 1)).status is State.ACTIVE


async def test_a_freed_slot_is_given_again(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    first = newcomer()
    await store.admit(first)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer())
    await store.end(first.id)
    await store.admit(newcomer())


async def test_the_slot_of_a_crashed_holder_heals_without_anybody_looking(
    make_store: MakeStore,
) -> None:
    """1. Who holds the only slot crashes. 2. Its lease lapses, and the grace for a replacement.

    Result: the slot is given again, though nobody ended the session.
    """
    store = make_store(max_sessions=1, now_ms=START_MS)
    await store.admit(newcomer())
    await pass_time(store, 30_000 + 30_000 - 1)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer())
    await pass_time(store, 1)
    await store.admit(newcomer())


async def test_admitting_the_same_id_again_changes_nothing(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    session = newcomer()
    await store.admit(session)
    before = await store.get(session.id)
    assert not (await store.admit(session)).changed
    assert await store.get(session.id) == before


async def test_the_same_job_may_claim_twice(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    assert (await store.claim(session.id, 1, agent())).changed
    assert not (await store.claim(session.id, 1, agent())).changed


async def test_a_stale_epoch_can_write_nothing(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    for write in (
        store.claim(session.id, 2, agent()),
        store.renew(session.id, 2),
        store.mark_ready(session.id, 2),
        store.mark_joined(session.id, epoch=2),
        store.end(session.id, epoch=2),
        store.fail(session.id, "why", epoch=2),
    ):
        with pytest.raises(StaleEpoch):
            await write
    assert (await store.get(session.id)).status is State.STARTING


async def test_heartbeats_keep_the_lease(make_store: MakeStore) -> None:
    session = newcomer()
    await make_store(now_ms=1_000_000).admit(session)
    await make_store(now_ms=1_002_000).claim(session.id, 1, agent())
    store = make_store(now_ms=1_002_000)
    await pass_time(store, 5_000)
    await store.renew(session.id, 1)
    store = make_store(now_ms=1_007_000, suspicion_s=0)
    await pass_time(store, 5_999)
    assert await store.suspects() == []
    await pass_time(store, 1)
    assert await store.suspects() == [session.id]


async def test_a_lease_that_holds_is_not_failed(make_store: MakeStore) -> None:
    session = newcomer()
    store = make_store(now_ms=START_MS)
    await store.admit(session)
    await pass_time(store, 29_999)
    assert not (await store.fail(session.id, "lapsed", only_if_lapsed=True)).changed
    await pass_time(store, 1)
    assert (await store.fail(session.id, "lapsed", only_if_lapsed=True)).changed
    assert (await store.get(session.id)).error == "lapsed"


async def test_what_is_over_stays_over(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.fail(session.id, "first")
    assert (await store.end(session.id)).status is State.ENDING
    await store.mark_closed(session.id)
    ended = await store.end(session.id)
    assert (ended.changed, ended.status) == (False, State.FAILED)
    assert not (await store.mark_closed(session.id)).changed
    for write in (
        store.claim(session.id, 1, agent()),
        store.renew(session.id, 1),
        store.mark_ready(session.id, 1),
        store.mark_joined(session.id),
    ):
        with pytest.raises(SessionOver):
            await write


async def test_an_unknown_session_is_not_found(store: SessionStore) -> None:
    unknown = new_session_id()
    for call in (
        store.get(unknown),
        store.claim(unknown, 1, agent()),
        store.renew(unknown, 1),
        store.mark_ready(unknown, 1),
        store.mark_joined(unknown),
        store.end(unknown),
    ):
        with pytest.raises(SessionNotFound):
            await call


async def test_occupancy_counts_states_and_start_latencies(make_store: MakeStore) -> None:
    for startup_ms in (100, 200, 300):
        session = newcomer()
        await make_store(now_ms=1_000_000).admit(session)
        await make_store(now_ms=1_000_000).claim(session.id, 1, agent())
        await make_store(now_ms=1_000_000 + startup_ms).mark_ready(session.id, 1)
    occupancy = await make_store().occupancy()
    assert (occupancy.starting, occupancy.ready, occupancy.active) == (0, 3, 0)
    assert occupancy.startup_p50_ms == 200
    assert occupancy.startup_p95_ms == 290


async def test_an_event_is_remembered_once_it_is_applied(store: SessionStore) -> None:
    assert not await store.journal.is_event_applied("EV_1")
    await store.journal.mark_event_applied("EV_1")
    assert await store.journal.is_event_applied("EV_1")
    assert not await store.journal.is_event_applied("EV_2")


async def test_an_agent_has_to_claim_before_it_writes(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    for write in (store.renew(session.id, 1), store.mark_ready(session.id, 1)):
        with pytest.raises(NotClaimed):
            await write


async def test_a_heartbeat_tells_how_the_agent_is(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.renew(session.id, 1, Vitals(agent_state="listening", pss_bytes=40_000_000))
    seen = await store.get(session.id)
    assert (seen.agent_state, seen.pss_bytes) == ("listening", 40_000_000)


async def test_an_ended_session_waits_for_its_room_to_be_closed(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    assert (await store.end(session.id)).status is State.ENDING
    assert (await store.occupancy()).taken == 0
    ending = await store.views.by_state(State.ENDING)
    assert [one.id for one in ending.sessions] == [session.id]
    assert (await store.mark_closed(session.id)).status is State.ENDED


async def test_a_room_that_is_gone_ends_the_session(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    assert (await store.mark_closed(session.id)).status is State.ENDED
    assert (await store.occupancy()).taken == 0


async def test_of_two_who_would_send_an_agent_one_does(make_store: MakeStore) -> None:
    """1. A session is admitted, and the API that is to send its agent crashes. 2. That is due.

    Result: nobody else sends one before that, then exactly one of two does.
    """
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    assert not (await store.dispatch(session.id)).changed
    await pass_time(store, CLAIM_MS)
    assert await store.queue.due() == [session.id]
    both = await asyncio.gather(store.dispatch(session.id), store.dispatch(session.id))
    assert sorted(one.changed for one in both) == [False, True]
    assert await store.queue.due() == []
    await store.claim(session.id, 1, agent())
    await pass_time(store, 6_000)
    assert await store.queue.due() == []


async def test_a_lost_agent_is_replaced_under_the_next_epoch(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.mark_ready(session.id, 1)
    await store.mark_joined(session.id)
    lost = await store.lose(session.id, "its process died", epoch=1, is_certain=True)
    assert (lost.changed, lost.status, lost.epoch, lost.losses) == (True, State.RECOVERING, 2, 1)
    with pytest.raises(StaleEpoch):
        await store.renew(session.id, 1)
    with pytest.raises(StaleEpoch):
        await store.lose(session.id, "told twice", epoch=1, is_certain=True)
    assert await store.queue.due() == [session.id]
    assert (await store.dispatch(session.id)).epoch == 2
    await store.claim(session.id, 2, agent("AJ_two"))
    assert (await store.mark_ready(session.id, 2)).status is State.ACTIVE
    startups = await store.views.startups_ms((50,))
    assert startups[50] is not None


async def test_who_renews_is_not_lost(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    assert not (await store.lose(session.id, "too early")).changed
    await store.claim(session.id, 1, agent())
    await pass_time(store, 8_000)
    assert await store.suspects() == []
    assert not (await store.lose(session.id, "only suspected")).changed
    await pass_time(store, 1_000)
    assert await store.suspects() == [session.id]
    await store.renew(session.id, 1)
    assert not (await store.lose(session.id, "renewed meanwhile")).changed
    assert (await store.get(session.id)).epoch == 1


async def test_an_agent_that_never_came_is_lost_when_it_is_overdue(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    await pass_time(store, CLAIM_MS)
    lost = await store.lose(session.id, "nobody came", delay_s=2)
    assert (lost.changed, lost.status, lost.epoch) == (True, State.STARTING, 2)
    assert await store.queue.due() == []
    await pass_time(store, 2_000)
    assert await store.queue.due() == [session.id]


async def test_after_three_losses_within_ten_minutes_the_session_fails(
    make_store: MakeStore,
) -> None:
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    for losses in (1, 2, 3):
        lost = await store.lose(session.id, "crash", epoch=losses, is_certain=True)
        assert lost.losses == losses
    last = await store.lose(session.id, "it crashes again and again", epoch=4, is_certain=True)
    assert (last.status, last.losses) == (State.ENDING, 4)
    await store.mark_closed(session.id)
    failed = await store.get(session.id)
    assert (failed.status, failed.error) == (State.FAILED, "it crashes again and again")


async def test_losses_of_long_ago_do_not_count(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    for epoch in (1, 2, 3):
        await store.lose(session.id, "crash", epoch=epoch, is_certain=True)
    store.now_ms = START_MS + 600_000
    lost = await store.lose(session.id, "crash", epoch=4, is_certain=True)
    assert (lost.status, lost.losses, lost.epoch) == (State.STARTING, 1, 5)


async def test_what_is_lost_again_and_again_is_replaced_later_and_later(
    make_store: MakeStore,
) -> None:
    """The first loss costs its user no time."""
    store = make_store(now_ms=START_MS, redispatch_limit=10)
    session = newcomer()
    await store.admit(session)
    for epoch, pause_ms in enumerate((0, 1_000, 2_000, 4_000), start=1):
        await store.lose(session.id, "crash", epoch=epoch, is_certain=True)
        if pause_ms:
            await pass_time(store, pause_ms - 1)
            assert await store.queue.due() == []
            await pass_time(store, 1)
        assert await store.queue.due() == [session.id]


async def test_who_makes_way_for_another_has_not_failed(make_store: MakeStore) -> None:
    """1. Three agents are lost. 2. The fourth makes way, and the fifth. 3. The sixth is lost.

    Result: the session goes on until then, and counts three losses; then it fails.
    """
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    for epoch in (1, 2, 3):
        await store.lose(session.id, "crash", epoch=epoch, is_certain=True)
    for epoch in (4, 5):
        gone = await store.lose(
            session.id, "handed over", epoch=epoch, is_certain=True, is_planned=True
        )
        assert (gone.status, gone.losses, gone.epoch) == (State.STARTING, 3, epoch + 1)
    last = await store.lose(session.id, "crash", epoch=6, is_certain=True)
    assert (last.status, last.losses) == (State.ENDING, 4)


async def test_who_was_given_to_nobody_has_not_failed(make_store: MakeStore) -> None:
    """It may be planned by a guess: before the deadline, and after a claim, nothing happens."""
    store = make_store(now_ms=START_MS)
    session = newcomer()
    await store.admit(session)
    early = await store.lose(session.id, "nobody took it", epoch=1, is_planned=True)
    await pass_time(store, CLAIM_MS)
    late = await store.lose(session.id, "nobody took it", epoch=1, is_planned=True)
    assert (early.changed, late.changed, late.losses, late.epoch) == (False, True, 0, 2)
    await store.dispatch(session.id)
    await store.claim(session.id, 2, agent())
    await pass_time(store, 5_000)
    claimed = await store.lose(session.id, "nobody took it", epoch=2, is_planned=True)
    assert (claimed.changed, claimed.status) == (False, State.STARTING)


async def test_a_slot_is_kept_for_the_replacement(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, max_sessions=1)
    session = newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await pass_time(store, 20_000)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer())


async def test_a_certain_loss_names_its_epoch(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    with pytest.raises(InvalidInput):
        await store.lose(session.id, "crash", is_certain=True)


async def test_an_agent_that_was_replaced_does_not_close_the_room_of_the_next(
    store: SessionStore,
) -> None:
    session = newcomer()
    await store.admit(session)
    await store.lose(session.id, "slow", epoch=1, is_certain=True)
    with pytest.raises(StaleEpoch):
        await store.mark_closed(session.id, epoch=1)
    assert (await store.get(session.id)).is_live


async def test_a_suspicion_ends_with_the_claim_of_the_next_agent(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS), newcomer()
    await store.admit(session)
    await pass_time(store, 30_000)
    await store.suspects()
    await store.claim(session.id, 1, agent())
    await pass_time(store, 8_000)
    assert await store.suspects() == []


async def test_a_session_can_end_after_the_clock_was_set_back(make_store: MakeStore) -> None:
    """1. A turn is written when the clock of Redis says less than at the start.

    Result: the session ends, and its slot is free.
    """
    store, session = make_store(now_ms=START_MS), newcomer(is_remembered=True)
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    store.now_ms = START_MS - 500
    await store.conversations.append(session.id, 1, turn_id="1", role="user", text="Hello")
    await store.end(session.id)
    assert (await store.occupancy()).taken == 0
    waiting = await make_store(now_ms=START_MS, max_sessions=1).admit(newcomer())
    assert waiting.status is State.STARTING


async def test_only_lapsed_leases_are_failed_not_places_in_line(make_store: MakeStore) -> None:
    store, waiting = make_store(max_sessions=1), newcomer(user="eve")
    await store.admit(newcomer())
    await store.admit(waiting, may_wait=True)
    assert not (await store.fail(waiting.id, "lapsed", only_if_lapsed=True)).changed


async def test_who_comes_back_after_its_slot_was_given_away_does_not_oversell(
    make_store: MakeStore,
) -> None:
    """1. An agent is silent until its slot has healed, and no supervisor runs. 2. Somebody else is
    given the slot. 3. The agent comes back.

    Result: its session fails, with words for the user; there is one session for one slot.
    """
    store, late = make_store(max_sessions=1, now_ms=START_MS), newcomer()
    await store.admit(late)
    await store.claim(late.id, 1, agent())
    await pass_time(store, 38_000)
    await store.admit(newcomer(user="eve"))
    with pytest.raises(SessionOver):
        await store.renew(late.id, 1)
    assert (await store.occupancy()).taken == 1
    failed = await store.get(late.id)
    assert failed.status is State.ENDING
    assert "given away" in (failed.error or "")


async def test_who_comes_back_to_a_free_slot_goes_on(make_store: MakeStore) -> None:
    store, late = make_store(max_sessions=1, now_ms=START_MS), newcomer()
    await store.admit(late)
    await store.claim(late.id, 1, agent())
    await pass_time(store, 38_000)
    await store.renew(late.id, 1)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer(user="eve"))
