"""Slots, leases and epochs on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.errors import (
    AgentAlreadyThere,
    AtCapacity,
    SessionNotFound,
    SessionOver,
    StaleEpoch,
)
from sessions.ids import new_session_id
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

MakeStore = Callable[..., SessionStore]


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


async def test_a_user_who_comes_before_the_agent_makes_it_active_at_once(
    store: SessionStore,
) -> None:
    session = newcomer()
    await store.admit(session)
    assert (await store.mark_joined(session.id)).status is State.STARTING
    assert (await store.mark_ready(session.id, 1)).status is State.ACTIVE


async def test_of_100_at_once_exactly_the_capacity_is_admitted(make_store: MakeStore) -> None:
    store = make_store(max_sessions=10)
    outcomes = await asyncio.gather(
        *(store.admit(newcomer()) for _ in range(100)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, AtCapacity)]
    assert len(refused) == 90
    assert (await store.occupancy()).starting == 10


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
    early = make_store(max_sessions=1, now_ms=1_000_000)
    await early.admit(newcomer())
    late = make_store(max_sessions=1, now_ms=1_000_000 + 30_001)
    await late.admit(newcomer())


async def test_admitting_the_same_id_again_changes_nothing(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    session = newcomer()
    await store.admit(session)
    before = await store.get(session.id)
    assert not (await store.admit(session)).changed
    assert await store.get(session.id) == before


async def test_of_20_agents_exactly_one_claims_the_session(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    outcomes = await asyncio.gather(
        *(store.claim(session.id, 1, agent(f"AJ_{number}")) for number in range(20)),
        return_exceptions=True,
    )
    losers = [outcome for outcome in outcomes if isinstance(outcome, AgentAlreadyThere)]
    assert len(losers) == 19


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
    await make_store(now_ms=1_029_000).claim(session.id, 1, agent())
    await make_store(now_ms=1_036_000).renew(session.id, 1)
    assert await make_store(now_ms=1_043_999).lapsed() == []
    assert await make_store(now_ms=1_044_000).lapsed() == [session.id]


async def test_a_lease_that_holds_is_not_failed(make_store: MakeStore) -> None:
    session = newcomer()
    await make_store(now_ms=1_000_000).admit(session)
    sooner, later = make_store(now_ms=1_029_999), make_store(now_ms=1_030_000)
    assert not (await sooner.fail(session.id, "lapsed", only_if_lapsed=True)).changed
    assert (await later.fail(session.id, "lapsed", only_if_lapsed=True)).changed
    assert (await later.get(session.id)).error == "lapsed"


async def test_what_is_over_stays_over(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.fail(session.id, "first")
    ended = await store.end(session.id)
    assert (ended.changed, ended.status) == (False, State.FAILED)
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


async def test_a_session_whose_record_is_gone_leaves_the_index(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    session = newcomer()
    await store.admit(session)
    await redis.delete(f"{{{settings.redis_prefix}}}:session:{session.id}")
    with pytest.raises(SessionNotFound):
        await store.end(session.id)
    assert (await store.occupancy()).taken == 0


async def test_every_key_expires_and_has_our_prefix(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    ended, live = newcomer(), newcomer()
    for session in (ended, live):
        await store.admit(session)
        await store.claim(session.id, 1, agent())
        await store.mark_ready(session.id, 1)
        await store.mark_joined(session.id)
        await store.renew(session.id, 1)
    await store.end(ended.id)
    await store.mark_event_applied("EV_1")
    ours = [key async for key in redis.scan_iter(f"{{{settings.redis_prefix}}}:*")]
    assert len(ours) >= 5
    assert {key: await redis.ttl(key) for key in ours if await redis.ttl(key) <= 0} == {}
    assert await redis.ttl(f"{{{settings.redis_prefix}}}:session:{ended.id}") <= 3600


async def test_occupancy_counts_states_and_start_latencies(make_store: MakeStore) -> None:
    for startup_ms in (100, 200, 300):
        session = newcomer()
        await make_store(now_ms=1_000_000).admit(session)
        await make_store(now_ms=1_000_000 + startup_ms).mark_ready(session.id, 1)
    occupancy = await make_store().occupancy()
    assert (occupancy.starting, occupancy.ready, occupancy.active) == (0, 3, 0)
    assert occupancy.startup_p50_ms == 200
    assert occupancy.startup_p95_ms == 290


async def test_an_event_is_remembered_once_it_is_applied(store: SessionStore) -> None:
    assert not await store.is_event_applied("EV_1")
    await store.mark_event_applied("EV_1")
    assert await store.is_event_applied("EV_1")
    assert not await store.is_event_applied("EV_2")


async def test_the_verbs_survive_a_script_flush(store: SessionStore, redis: Redis) -> None:
    session = newcomer()
    await store.admit(session)
    await redis.script_flush()
    await store.claim(session.id, 1, agent())
