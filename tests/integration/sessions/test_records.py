"""What the agents of a session write down of it: a part each, under their epochs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.conversations import Role
from sessions.errors import InvalidInput, SessionNotFound, SessionOver, StaleEpoch
from sessions.ids import SessionId, UserId, new_session_id
from sessions.keys import Keys
from sessions.records import Failure, Part, TurnTimes, Usage
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000


def part(epoch: int = 1, **changes: object) -> Part:
    role: Role = "assistant"
    whole = Part(
        epoch=epoch,
        moments_ms={"claimed": START_MS + 20, "joined": START_MS + 90},
        turns=(TurnTimes(role=role, at_ms=START_MS + 900, first_token_ms=210),),
        turns_left_out=3,
        usage=(Usage(stage="llm", provider="openai", model="m", input_tokens=12),),
        failures=(Failure(stage="tts", kind="APIError", is_recoverable=True, last_at_ms=1),),
    )
    return whole.model_copy(update=changes)


async def test_a_part_comes_back_as_it_was(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS), newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.records.write(session.id, part())
    await store.records.write(session.id, part(outcome="ended", reason="user_left"))
    (kept,) = await store.records.of(session.id)
    assert kept == part(outcome="ended", reason="user_left", dispatched_at_ms=START_MS)


async def test_each_agent_has_a_part_of_its_own(make_store: MakeStore) -> None:
    """1. An agent writes and is lost. 2. The next one is sent, and writes. 3. The first comes back.

    Result: both parts are there, each with when its agent was sent for; the first one's last words
    are refused.
    """
    store, session = make_store(now_ms=START_MS), newcomer()
    await store.admit(session)
    await store.records.write(session.id, part(1))
    await store.lose(session.id, "died", epoch=1, is_certain=True)
    store.now_ms = START_MS + 5_000
    await store.dispatch(session.id)
    await store.records.write(session.id, part(2))
    with pytest.raises(StaleEpoch):
        await store.records.write(session.id, part(1, reason="late"))
    first, second = await store.records.of(session.id)
    assert (first.epoch, first.dispatched_at_ms, first.reason) == (1, START_MS, None)
    assert (second.epoch, second.dispatched_at_ms) == (2, START_MS + 5_000)


async def test_only_the_parts_of_the_last_agents_are_kept(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS, redispatch_limit=10), newcomer()
    await store.admit(session)
    for epoch in range(1, 11):
        await store.records.write(session.id, part(epoch))
        await store.lose(session.id, "died", epoch=epoch, is_certain=True)
    assert [one.epoch for one in await store.records.of(session.id)] == list(range(3, 11))


async def test_a_part_is_bounded(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    turns = tuple(TurnTimes(role="user", at_ms=number) for number in range(1_000))
    with pytest.raises(InvalidInput):
        await store.records.write(session.id, part(turns=turns))
    assert await store.records.of(session.id) == []


async def test_it_lives_as_long_as_the_session(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    store, session = make_store(history_ttl_s=60), newcomer()
    key = Keys(settings.redis_prefix).record(session.id)
    await store.admit(session)
    await store.records.write(session.id, part())
    assert await redis.ttl(key) > 60
    await store.end(session.id)
    await store.mark_closed(session.id)
    assert 0 < await redis.ttl(key) <= 60
    await store.records.write(session.id, part(reason="user_left"))
    assert 0 < await redis.ttl(key) <= 60
    assert [one.reason for one in await store.records.of(session.id)] == ["user_left"]


async def test_it_is_forgotten_with_its_user(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    """Of a past session as of a live one, whose agent goes on writing for a moment."""
    past, live = newcomer(), newcomer()
    for session in (past, live):
        await store.admit(session)
        await store.records.write(session.id, part())
    await store.end(past.id)
    await store.mark_closed(past.id)
    assert await store.conversations.forget(UserId("ada")) == [live.id]
    with pytest.raises(SessionOver):
        await store.records.write(live.id, part())
    keys = Keys(settings.redis_prefix)
    assert await redis.exists(keys.record(past.id), keys.record(live.id)) == 0


async def test_of_an_unknown_session_there_is_none(store: SessionStore) -> None:
    unknown = new_session_id()
    assert await store.records.of(unknown) == []
    with pytest.raises(SessionNotFound):
        await store.records.write(unknown, part())
    with pytest.raises(InvalidInput):
        await store.records.of(SessionId("x"))


async def test_what_another_version_wrote_is_read_as_far_as_it_goes(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    session = newcomer()
    await store.admit(session)
    await store.records.write(session.id, part(1))
    key = Keys(settings.redis_prefix).record(session.id)
    await redis.hset(key, mapping={"2": '0 {"added_since":1,"reason":"x"}', "3": "0 nonsense"})
    assert [(one.epoch, one.reason) for one in await store.records.of(session.id)] == [
        (1, None),
        (2, "x"),
    ]


async def test_whether_a_user_wants_to_be_remembered_is_known(store: SessionStore) -> None:
    yes, no = newcomer(is_remembered=True), newcomer()
    for session in (yes, no):
        await store.admit(session)
    assert (await store.get(yes.id)).is_remembered
    assert not (await store.get(no.id)).is_remembered
