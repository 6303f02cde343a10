"""What the store knows of a user: one live session, limits, a memory, and how it forgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sessions.conversations import Role
from sessions.errors import (
    AtCapacity,
    IdempotencyConflict,
    RateLimited,
    SessionNotFound,
    SessionOver,
    UserBusy,
)
from sessions.fleet import Beat, PreferredWorker, Registration, Worker
from sessions.ids import UserId, WorkerId
from sessions.journal import LogLine
from sessions.keys import Keys
from sessions.model import IdempotencyKey, Newcomer, Outcome, UserPolicy
from sessions.settings import StoreSettings, Transcripts
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]
ADA = UserId("ada")


async def talk(store: SessionStore, session: Newcomer, *words: str) -> None:
    """Have a session in which both say something, in turn."""
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    roles: tuple[Role, Role] = ("user", "assistant")
    for number, text in enumerate(words):
        await store.conversations.append(
            session.id, 1, turn_id=str(number), role=roles[number % 2], text=text
        )


async def test_a_busy_user_is_rejected(store: SessionStore) -> None:
    first = newcomer()
    await store.admit(first)
    with pytest.raises(UserBusy, match=first.id):
        await store.admit(newcomer(), policy=UserPolicy.REJECT)
    await store.end(first.id)
    await store.admit(newcomer(), policy=UserPolicy.REJECT)


async def test_a_live_session_is_resumed_with_a_new_secret(store: SessionStore) -> None:
    first, second = newcomer(), newcomer()
    await store.admit(first)
    answer = await store.admit(second, policy=UserPolicy.RESUME)
    assert (answer.outcome, answer.session_id, answer.changed) == (
        Outcome.RESUMED,
        first.id,
        False,
    )
    assert (await store.get(first.id)).secret_hash == second.secret_hash
    with pytest.raises(SessionNotFound):
        await store.get(second.id)


async def test_a_live_session_is_replaced_and_gives_its_slot(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    first, waiting, second = newcomer(), newcomer(user="bob"), newcomer()
    await store.admit(first)
    await store.admit(waiting, may_wait=True)
    answer = await store.admit(second, policy=UserPolicy.REPLACE)
    assert (answer.status, answer.replaced) == (State.STARTING, first.id)
    replaced = await store.get(first.id)
    assert (replaced.status, replaced.reason) == (State.ENDING, "replaced")
    assert (await store.queue.touch(waiting.id)).position == 1


async def test_a_waiting_session_is_replaced_and_gives_its_place(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    await store.admit(newcomer(user="bob"))
    first, behind, second = newcomer(), newcomer(user="eve"), newcomer()
    await store.admit(first, may_wait=True)
    await store.admit(behind, may_wait=True)
    answer = await store.admit(second, policy=UserPolicy.REPLACE, may_wait=True)
    assert (answer.position, answer.replaced) == (1, first.id)
    assert (await store.get(first.id)).status is State.ENDED
    assert (await store.queue.touch(behind.id)).position == 2


async def test_a_slot_that_has_healed_is_not_handed_on(make_store: MakeStore) -> None:
    """1. A user's session has lost its slot: nobody renewed it for long. 2. Somebody else has it.
    3. The user starts anew.

    Result: no more sessions than slots; the user waits in line.
    """
    store = make_store(max_sessions=1, now_ms=1_000_000)
    await store.admit(newcomer())
    await pass_time(store, 61_000)
    await store.admit(newcomer(user="eve"))
    with pytest.raises(AtCapacity):
        await store.admit(newcomer(), policy=UserPolicy.REPLACE)
    answer = await store.admit(newcomer(), policy=UserPolicy.REPLACE, may_wait=True)
    assert answer.status is State.QUEUED


async def test_who_would_not_wait_does_not_take_over_a_place(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    await store.admit(newcomer(user="bob"))
    first = newcomer()
    await store.admit(first, may_wait=True)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer(), policy=UserPolicy.REPLACE)
    assert (await store.queue.touch(first.id)).position == 1


async def test_what_was_replaced_is_not_told_to_be_admitted(make_store: MakeStore) -> None:
    """1. A user waits. 2. The slot heals. 3. The user starts anew, which admits the first at once.

    Result: only the new session needs an agent.
    """
    store = make_store(max_sessions=1, now_ms=1_000_000, ticket_ttl_s=600)
    await store.admit(newcomer(user="bob"))
    first = newcomer()
    await store.admit(first, may_wait=True)
    await pass_time(store, 61_000)
    answer = await store.admit(newcomer(), policy=UserPolicy.REPLACE)
    assert (answer.status, answer.replaced, answer.admitted) == (State.STARTING, first.id, ())


async def test_resuming_a_place_in_line_keeps_it(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, now_ms=1_000_000)
    await store.admit(newcomer(user="bob"))
    first = newcomer()
    await store.admit(first, may_wait=True)
    await pass_time(store, 14_000)
    answer = await store.admit(newcomer(), policy=UserPolicy.RESUME, may_wait=True)
    assert (answer.outcome, answer.position) == (Outcome.RESUMED, 1)
    await pass_time(store, 14_000)
    await store.queue.advance()
    assert (await store.get(first.id)).status is State.QUEUED


async def test_who_would_not_wait_is_not_given_a_place_in_line_to_resume(
    make_store: MakeStore,
) -> None:
    """1. A user waits in one tab. 2. Another tab starts, and would not wait.

    Result: it is told so; the first tab keeps its place and its secret. Once there is a slot, the
    other tab gets the session.
    """
    store = make_store(max_sessions=1)
    bob, first = newcomer(user="bob"), newcomer()
    await store.admit(bob)
    await store.admit(first, may_wait=True)
    other = replace(newcomer(), secret_hash="1" * 64)
    with pytest.raises(AtCapacity):
        await store.admit(other, policy=UserPolicy.RESUME)
    assert (await store.get(first.id)).secret_hash == first.secret_hash
    assert (await store.queue.touch(first.id)).position == 1
    await store.end(bob.id)
    answer = await store.admit(other, policy=UserPolicy.RESUME)
    assert (answer.outcome, answer.session_id) == (Outcome.RESUMED, first.id)


async def test_an_older_live_session_counts_too(store: SessionStore) -> None:
    old, new = newcomer(), newcomer()
    await store.admit(old)
    await store.admit(new)
    await store.end(new.id)
    with pytest.raises(UserBusy, match=old.id):
        await store.admit(newcomer(), policy=UserPolicy.REJECT)


async def test_a_refused_start_costs_nothing(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1, user_starts_per_minute=1)
    bob = newcomer(user="bob")
    await store.admit(bob)
    for _ in range(3):
        with pytest.raises(AtCapacity):
            await store.admit(newcomer())
    await store.end(bob.id)
    await store.admit(newcomer())


async def test_users_without_a_name_are_nobodys_rivals(store: SessionStore) -> None:
    for _ in range(3):
        answer = await store.admit(newcomer(user=None), policy=UserPolicy.REJECT)
        assert answer.outcome is Outcome.NEW


async def test_the_same_key_and_request_is_the_same_session(store: SessionStore) -> None:
    key = IdempotencyKey(key="k", scope="ada", fingerprint="{}")
    first = await store.admit(newcomer(), idempotency=key)
    again = await store.admit(newcomer(), idempotency=key)
    assert (again.outcome, again.session_id) == (Outcome.KNOWN, first.session_id)
    other_request = IdempotencyKey(key="k", scope="ada", fingerprint='{"persona": "x"}')
    with pytest.raises(IdempotencyConflict):
        await store.admit(newcomer(), idempotency=other_request)
    other_user = IdempotencyKey(key="k", scope="eve", fingerprint="{}")
    assert (await store.admit(newcomer(), idempotency=other_user)).outcome is Outcome.NEW


async def test_a_refused_start_leaves_its_key_unused(make_store: MakeStore) -> None:
    store = make_store(max_sessions=1)
    first, key = newcomer(), IdempotencyKey(key="k", scope="eve", fingerprint="{}")
    await store.admit(first)
    with pytest.raises(AtCapacity):
        await store.admit(newcomer(user="eve"), idempotency=key)
    await store.end(first.id)
    assert (await store.admit(newcomer(user="eve"), idempotency=key)).outcome is Outcome.NEW


async def test_a_user_may_start_so_many_sessions_a_minute(make_store: MakeStore) -> None:
    store = make_store(now_ms=1_000_000, user_starts_per_minute=3)
    for _ in range(3):
        await store.admit(newcomer())
    with pytest.raises(RateLimited) as caught:
        await store.admit(newcomer())
    assert caught.value.retry_after_s == 20
    await store.admit(newcomer(user="eve"))
    store.now_ms = 1_000_000 + 20_000
    await store.admit(newcomer())


async def test_a_user_is_preferred_by_the_worker_of_the_last_session(store: SessionStore) -> None:
    assert await store.fleet.preferred_worker(ADA) is None
    for worker in ("worker-1", "worker-2"):
        session = newcomer()
        await store.admit(session)
        await store.claim(session.id, 1, agent(worker=worker))
        await store.end(session.id)
        await store.mark_closed(session.id)
    await store.admit(newcomer())
    found = await store.fleet.preferred_worker(ADA)
    assert found == PreferredWorker(id=WorkerId("worker-2"), listed=None)


async def test_whether_that_worker_may_be_counted_on_is_told_with_it(make_store: MakeStore) -> None:
    """As long as it is in the list, and for what it said last; drained at once."""
    store = make_store(now_ms=1_000_000)
    session, worker = newcomer(), WorkerId("worker-1")
    await store.admit(session)
    await store.claim(session.id, 1, agent(worker=worker))

    async def listed() -> Worker | None:
        found = await store.fleet.preferred_worker(ADA)
        assert found is not None
        assert found.id == worker
        return found.listed

    async def is_open(active: int) -> bool:
        await store.fleet.renew(worker, Beat(active=active, idle=1, load=0.0, spawned=1))
        there = await listed()
        assert there is not None
        assert [there] == await store.fleet.workers()
        return there.is_open

    assert await listed() is None
    await store.fleet.register(Registration(id=worker, capacity=20, host="here", version="1"))
    assert [await is_open(active) for active in (0, 18, 19, 20)] == [True, True, False, False]
    await store.fleet.drain(worker)
    assert not await is_open(0)
    store.now_ms = 1_000_000 + round(store.settings.worker_lease_s * 1000)
    assert await listed() is None


async def test_a_replacement_agent_finds_the_conversation(store: SessionStore) -> None:
    session = newcomer()
    await talk(store, session, "Hello", "Hi, how can I help?")
    await store.lose(session.id, "died", epoch=1, is_certain=True)
    turns = await store.conversations.of(session.id)
    assert [(turn.role, turn.text) for turn in turns] == [
        ("user", "Hello"),
        ("assistant", "Hi, how can I help?"),
    ]


async def test_a_repeated_turn_is_one_turn(store: SessionStore) -> None:
    session = newcomer()
    await talk(store, session, "Hello")
    assert not await store.conversations.append(
        session.id, 1, turn_id="0", role="user", text="Hello"
    )
    assert len(await store.conversations.of(session.id)) == 1


@pytest.mark.parametrize(
    ("transcripts", "live", "over"),
    [(Transcripts.HISTORY, 2, 2), (Transcripts.LIVE, 2, 0), (Transcripts.OFF, 0, 0)],
)
async def test_how_long_words_are_kept_is_a_setting(
    make_store: MakeStore, transcripts: Transcripts, live: int, over: int
) -> None:
    store, session = make_store(transcripts=transcripts), newcomer()
    await talk(store, session, "My number is 12", "Thank you")
    assert len(await store.conversations.of(session.id)) == live
    await store.end(session.id)
    assert len(await store.conversations.of(session.id)) == over


async def test_the_next_agents_first_turn_may_have_the_same_name(store: SessionStore) -> None:
    session = newcomer()
    await talk(store, session, "Hello")
    await store.lose(session.id, "died", epoch=1, is_certain=True)
    await store.claim(session.id, 2, agent("AJ_2"))
    assert await store.conversations.append(
        session.id, 2, turn_id="0", role="assistant", text="Back again"
    )


async def test_only_who_wants_it_is_remembered(store: SessionStore) -> None:
    for user, is_remembered in (("ada", True), ("eve", False)):
        session = newcomer(user=user, is_remembered=is_remembered)
        await talk(store, session, "I like tea", "Noted")
        await store.end(session.id)
    assert [turn.text for turn in await store.conversations.memory(ADA)] == ["I like tea", "Noted"]
    assert await store.conversations.memory(UserId("eve")) == []


async def test_a_memory_is_bounded_in_turns_and_bytes(make_store: MakeStore) -> None:
    store = make_store(memory_turns=3, memory_bytes=256)
    for word in ("one", "two"):
        session = newcomer(is_remembered=True)
        await talk(store, session, f"{word} a", f"{word} b")
        await store.end(session.id)
    texts = [turn.text for turn in await store.conversations.memory(ADA)]
    assert texts == ["one b", "two a", "two b"]
    session = newcomer(is_remembered=True)
    await talk(store, session, "x" * 200, "y" * 150)
    await store.end(session.id)
    assert [turn.text for turn in await store.conversations.memory(ADA)] == ["y" * 150]


async def test_forgetting_a_user_leaves_nothing_that_names_one(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. A user has sessions on record, one that waits, a live one, a memory, logs, a key.
    2. The user asks to be forgotten. 3. The live agent goes on writing for a moment.

    Result: no key and no value in Redis holds the user's name or words; the live session is
    `ending`, and its slot is free for others.
    """
    name = UserId("zaphod.beeblebrox@example.com")
    store = make_store(max_sessions=2, user_starts_per_minute=100)
    past, live, waiting = (newcomer(user=name, is_remembered=True) for _ in range(3))
    await talk(store, past, "my word is xyzzy", "ok")
    await store.end(past.id)
    await store.mark_closed(past.id)
    key = IdempotencyKey(key="xyzzy-key", scope=name, fingerprint="{}")
    await talk(store, live, "my word is xyzzy", "ok")
    await store.journal.log(live.id, [LogLine(level="info", text="xyzzy told")], epoch=1)
    await store.admit(newcomer(user="eve"))
    await store.admit(waiting, may_wait=True, idempotency=key)

    assert await store.conversations.forget(name) == [live.id]
    for late in (
        store.conversations.append(live.id, 1, turn_id="9", role="user", text="xyzzy"),
        store.journal.log(live.id, [LogLine(level="info", text="xyzzy")], epoch=1),
    ):
        with pytest.raises(SessionOver):
            await late
    assert (await store.get(live.id)).status is State.ENDING
    assert (await store.get(live.id)).user_id is None
    for gone in (past, waiting):
        with pytest.raises(SessionNotFound):
            await store.get(gone.id)
    assert (await store.occupancy()).taken == 1
    assert await store.views.by_user(name) == []
    left = await _dump(redis, settings)
    assert "xyzzy" not in left
    assert "zaphod" not in left


async def test_what_is_left_of_a_forgotten_session_goes_with_its_room(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.journal.publish(session.id, "the user said xyzzy")
    await store.conversations.forget(ADA)
    details = [event.detail for event in await store.journal.events(session.id)]
    assert "the user said xyzzy" not in details
    await store.mark_closed(session.id)
    with pytest.raises(SessionNotFound):
        await store.get(session.id)
    assert (await store.views.counts())[State.ENDED] == 0


async def test_a_forgotten_session_does_not_begin_anew(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. A user has a session on record and a live one. 2. The user is forgotten, and the room is
    closed. 3. Somebody comes with a token of each.

    Result: both are over, for as long as such a token may be good.
    """
    store, past, live = make_store(max_sessions=5), newcomer(), newcomer()
    await store.admit(past)
    await store.end(past.id)
    await store.mark_closed(past.id)
    await store.admit(live)
    await store.conversations.forget(ADA)
    await store.mark_closed(live.id)
    for gone in (past, live):
        with pytest.raises(SessionOver):
            await store.admit(gone, may_wait=True)
        with pytest.raises(SessionOver):
            await store.mark_joined(gone.id)
        with pytest.raises(SessionOver):
            await store.claim(gone.id, 1, agent())
        with pytest.raises(SessionNotFound):
            await store.get(gone.id)
        ttl_s = await redis.ttl(Keys(settings.redis_prefix).gone(gone.id))
        assert settings.history_ttl_s - 60 < ttl_s <= settings.history_ttl_s
    assert (await store.occupancy()).taken == 0


async def test_a_live_session_is_forgotten_even_when_newer_ones_are_past(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. A long session goes on. 2. The same user has many short ones, whose records lapse, and the
    list of them with it. 3. The long one sends a heartbeat.

    Result: it is found when the user is forgotten.
    """
    store, live = make_store(), newcomer()
    await talk(store, live)
    await redis.delete(Keys(settings.redis_prefix).user(ADA))
    await store.renew(live.id, 1)
    assert await store.conversations.forget(ADA) == [live.id]


async def test_forgetting_somebody_unknown(store: SessionStore) -> None:
    assert await store.conversations.forget(UserId("nobody")) == []


async def test_forgetting_many_sessions(store: SessionStore) -> None:
    for _ in range(60):
        session = newcomer()
        await store.admit(session)
        await store.end(session.id)
    assert len(await store.conversations.forget(ADA)) == 60
    assert await store.views.by_user(ADA) == []


async def _dump(redis: Redis, settings: StoreSettings) -> str:
    """Return every key and value of this store as one text."""
    found = [
        f"{key} {await _value(redis, str(key))}"
        async for key in redis.scan_iter(f"{{{settings.redis_prefix}}}:*")
    ]
    assert found
    return "\n".join(found)


async def _value(redis: Redis, key: str) -> object:
    match await redis.type(key):
        case "string":
            return await redis.get(key)
        case "hash":
            return await redis.hgetall(key)
        case "list":
            return await redis.lrange(key, 0, -1)
        case "zset":
            return await redis.zrange(key, 0, -1)
        case kind:
            assert kind == "stream"
            return await redis.xrange(key)
