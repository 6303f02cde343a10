"""No key without an end or an owner, and nothing from outside reaches a key or breaks a script."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sessions.errors import InvalidInput, SessionNotFound
from sessions.fleet import Registration
from sessions.ids import SessionId, UserId, WorkerId
from sessions.journal import LogLine
from sessions.keys import Keys
from sessions.model import IdempotencyKey, UserPolicy, Vitals
from sessions.records import Part
from sessions.settings import StoreSettings
from sessions.states import LIVE
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.support.wait import eventually

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000
#: keys.py says why these have no TTL.
OWNED = {"store", "counts", "pool:stats", "pool:target"}
#: Of a fixed size each.
SHARED_LISTS = {"events", "startups", "minutes", "hours", "claims", "notices", "arrivals"}

ODD = [
    "a\x00b",
    "a}:slots",
    "{vf}:slots",
    "*",
    "\x1b[31mred",
    "line\r\nbreak",
    "x" * 1_000_000,
    "\ud800",
    "é😀",
    "1 2 3",
    '"]}',
    "",
]


async def live_fully(store: SessionStore) -> list[SessionId]:
    """Do everything there is to do, so that every kind of key is written."""
    ended, live, waiting = (newcomer(is_remembered=True) for _ in range(3))
    key = IdempotencyKey(key="k", scope="s", fingerprint="f")
    for session in (ended, live):
        await store.admit(session, idempotency=key if session is live else None)
        await store.claim(session.id, 1, agent())
        await store.mark_ready(session.id, 1)
        await store.mark_joined(session.id)
        await store.renew(session.id, 1, Vitals(agent_state="speaking", pss_bytes=1))
        await store.journal.log(session.id, [LogLine(level="info", text="x")])
        await store.conversations.append(session.id, 1, turn_id="1", role="user", text="x")
        await store.records.write(session.id, Part(epoch=1))
    await store.end(ended.id)
    await store.mark_closed(ended.id)
    await store.lose(live.id, "x", epoch=1, is_certain=True)
    await store.admit(newcomer(user="eve"), may_wait=True)
    await store.admit(waiting, may_wait=True)
    await store.fleet.register(Registration(id=WorkerId("w1"), capacity=1, host="h", version="0"))
    await store.fleet.set_pool_target(1)
    await store.journal.mark_event_applied("EV_1")
    await store.office.notices.write({"cursor": "1-1 1", "alarm:x": "{}"}, ["alarm:y"])
    return [ended.id, live.id, waiting.id]


async def keys_of(redis: Redis, settings: StoreSettings) -> list[str]:
    prefix = f"{{{settings.redis_prefix}}}:"
    return [str(key).removeprefix(prefix) async for key in redis.scan_iter(f"{prefix}*")]


async def test_every_key_expires_or_has_an_owner(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    store = make_store(now_ms=START_MS, max_sessions=2, user_starts_per_minute=100)
    await live_fully(store)
    # What sessions share is seen to once a second.
    await pass_time(store, 1_000)
    found = await keys_of(redis, settings)
    kinds = {name.split(":")[0] for name in found}
    assert kinds >= {
        *("session", "user", "rate", "idem", "memory", "worker", "agent", "record", "webhook")
    }
    prefix = f"{{{settings.redis_prefix}}}:"
    # Not -2: a key of a minute can be gone by now, on a machine that is busy.
    endless = {name for name in found if await redis.ttl(prefix + name) == -1}
    assert endless == OWNED & set(found)


async def test_after_the_history_nothing_is_left_but_what_has_an_owner(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. Sessions of every kind end. 2. Their history passes.

    Result: beside the store itself only lists without end of a fixed size.
    """
    store = make_store(history_ttl_s=1, memory_ttl_s=1, idempotency_ttl_s=1, max_sessions=5)
    await live_fully(store)
    for state in LIVE:
        for session in (await store.views.by_state(state)).sessions:
            await store.end(session.id)
            await store.mark_closed(session.id)
    await store.fleet.leave(WorkerId("w1"))

    async def is_clean() -> bool:
        await store.queue.advance()
        left = set(await keys_of(redis, settings)) - {"webhook:EV_1"}
        assert left == {*OWNED, *SHARED_LISTS}
        return True

    await eventually(is_clean)


async def test_indexes_hold_no_session_without_a_record(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. Records are gone, as if they had expired. 2. The loops pass.

    Result: nothing that waits, or holds a slot, points to them any more.
    """
    store = make_store(now_ms=START_MS, max_sessions=2)
    ids = set(await live_fully(store))
    keys = Keys(settings.redis_prefix)
    for session_id in ids:
        await redis.delete(keys.session(session_id))
    await pass_time(store, 80_000)
    for _ in range(3):
        await store.suspects()
        await store.queue.advance()
        await pass_time(store, 2_000)
    live = [keys.in_state(state) for state in LIVE]
    for name in [*live, keys.slots, keys.tickets, keys.dispatches, keys.suspects]:
        assert not ids & set(await redis.zrange(name, 0, -1)), name


@pytest.mark.parametrize("text", ODD)
async def test_odd_ids_reach_no_key(
    store: SessionStore, redis: Redis, settings: StoreSettings, text: str
) -> None:
    session_id, user, worker = SessionId(text), UserId(text), WorkerId(text)
    calls = (
        store.get(session_id),
        store.admit(replace(newcomer(), id=session_id)),
        store.claim(session_id, 1, agent()),
        store.end(session_id),
        store.queue.touch(session_id),
        store.journal.events(session_id),
        store.journal.logs(session_id),
        store.conversations.of(session_id),
        store.records.of(session_id),
        store.records.write(session_id, Part(epoch=1)),
        store.conversations.memory(user),
        store.conversations.forget(user),
        store.views.by_user(user),
        store.fleet.leave(worker),
    )
    for call in calls:
        with pytest.raises(InvalidInput):
            await call
    assert await keys_of(redis, settings) == []


@pytest.mark.parametrize("text", ODD)
async def test_odd_words_are_kept_as_well_as_they_can_be(store: SessionStore, text: str) -> None:
    session = newcomer()
    await store.admit(session, idempotency=IdempotencyKey(key=text, scope=text, fingerprint=text))
    await store.claim(session.id, 1, agent(text))
    await store.renew(session.id, 1, Vitals(agent_state=text, pss_bytes=1))
    await store.journal.log(session.id, [LogLine(level=text, text=text)], epoch=1)
    await store.journal.publish(session.id, text)
    await store.conversations.append(session.id, 1, turn_id=text, role="user", text=text)
    (line,) = await store.journal.logs(session.id)
    (turn,) = await store.conversations.of(session.id)
    expected = "\ufffd" if text == "\ud800" else text
    for kept, limit in ((line.text, 500), (turn.text, 4_000)):
        assert kept == expected if len(expected) <= limit else kept == expected[: limit - 1] + "…"
    await store.fail(session.id, text)
    await store.mark_closed(session.id)
    assert len((await store.get(session.id)).error or "") <= 500


async def test_random_words_come_back_as_they_were(store: SessionStore) -> None:
    alphabet = [*map(chr, range(160)), "é", "\u2028", "\ufffe", "😀", '\\"', "}}", "{{", "\\u0000"]
    dice, session = random.Random(4711), newcomer()  # noqa: S311 - repeatable, no secret
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    texts = ["".join(dice.choices(alphabet, k=dice.randint(0, 60))) for _ in range(150)]
    for number, text in enumerate(texts):
        await store.conversations.append(
            session.id, 1, turn_id=str(number), role="assistant", text=text
        )
    await store.journal.log(session.id, [LogLine(level="info", text=text) for text in texts])
    assert [turn.text for turn in await store.conversations.of(session.id)] == texts
    assert [line.text for line in await store.journal.logs(session.id)] == texts


async def test_a_user_id_is_kept_once(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    session = newcomer(user="grace.hopper@example.com")
    await store.admit(session, policy=UserPolicy.REPLACE)
    await store.claim(session.id, 1, agent())
    assert not [name for name in await keys_of(redis, settings) if "hopper" in name]
    with pytest.raises(SessionNotFound):
        await store.get(SessionId("0" * 32))
