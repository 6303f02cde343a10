"""Older code does not drive a newer store, and an older store is brought up to date."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from sessions.__main__ import main
from sessions.errors import WrongSchema
from sessions.ids import SessionId, UserId, new_session_id
from sessions.keys import Keys
from sessions.migrations import migrate, schema_of
from sessions.settings import SCHEMA, StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer


@pytest.fixture
def keys(settings: StoreSettings) -> Keys:
    return Keys(settings.redis_prefix)


@pytest.fixture
def environment(settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", settings.redis_url.get_secret_value())
    monkeypatch.setenv("REDIS_PREFIX", settings.redis_prefix)


async def write_schema_1(redis: Redis, keys: Keys, state: State, *, user: str) -> SessionId:
    """Write a session as the first release did: states were sets, nothing said which schema."""
    session_id = new_session_id()
    fields = {
        "epoch": "1",
        "createdAt": "1795000000000",
        "userId": user,
        "identity": "user-1",
        "room": f"vf-{session_id}",
        "secretHash": "0" * 64,
        "status": state.value,
    }
    if state is not State.STARTING:
        fields |= {"claimedAt": "1795000000100", "jobId": "AJ_1", "startupMs": "100"}
    for name, value in fields.items():
        await redis.hset(keys.session(session_id), name, value)
    await redis.sadd(keys.in_state(state), session_id)
    await redis.zadd(keys.slots, {session_id: 1795000030000})
    return session_id


async def test_the_first_verb_writes_the_schema(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    assert await schema_of(redis, keys) is None
    await store.admit(newcomer())
    assert await schema_of(redis, keys) == SCHEMA


async def test_a_newer_store_refuses_every_verb_and_says_what_to_do(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    session = newcomer()
    await store.admit(session)
    await redis.hset(keys.store, "schema", SCHEMA + 1)
    for call in (store.admit(newcomer()), store.end(session.id), store.suspects()):
        with pytest.raises(WrongSchema, match=r"newer than this code.*upgrade this service"):
            await call
    with pytest.raises(WrongSchema, match="newer"):
        await migrate(redis, keys)
    assert (await store.get(session.id)).status is State.STARTING


async def test_an_older_store_is_refused_until_it_is_migrated(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    await write_schema_1(redis, keys, State.STARTING, user="ada")
    with pytest.raises(WrongSchema, match="python -m sessions migrate"):
        await store.admit(newcomer())
    assert await schema_of(redis, keys) == 1


async def test_sessions_of_schema_1_go_on_after_the_migration(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    ids = {
        state: await write_schema_1(redis, keys, state, user="ada")
        for state in (State.STARTING, State.READY, State.ACTIVE)
    }
    nameless = await write_schema_1(redis, keys, State.ACTIVE, user="user-1")
    assert await migrate(redis, keys) == [f"schema 1 to {SCHEMA}: 4 sessions"]
    assert await migrate(redis, keys) == [f"the store has schema {SCHEMA} already: nothing to do"]
    counts = await store.views.counts()
    assert [counts[state] for state in (State.STARTING, State.READY, State.ACTIVE)] == [1, 1, 2]
    assert {one.id for one in await store.views.by_user(UserId("ada"))} == set(ids.values())
    assert (await store.get(nameless)).user_id is None
    assert (await store.claim(ids[State.STARTING], 1, agent())).changed
    assert (await store.mark_ready(ids[State.STARTING], 1)).status is State.READY
    assert (await store.mark_joined(ids[State.READY])).status is State.ACTIVE
    await store.renew(ids[State.ACTIVE], 1)
    await store.end(ids[State.ACTIVE])
    assert (await store.occupancy()).taken == 3


async def test_a_migration_that_was_cut_off_can_be_run_again(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. One state has been migrated, the next not, and the schema not been written.

    Result: the second run does the rest.
    """
    first = await write_schema_1(redis, keys, State.STARTING, user="ada")
    await migrate(redis, keys)
    await redis.hdel(keys.store, "schema")
    second = await write_schema_1(redis, keys, State.READY, user="ada")
    assert await migrate(redis, keys) == [f"schema 1 to {SCHEMA}: 1 sessions"]
    assert {one.id for one in await store.views.by_user(UserId("ada"))} == {first, second}


async def test_records_of_schema_1_that_were_over_can_still_be_read(
    store: SessionStore, redis: Redis, keys: Keys
) -> None:
    over = await write_schema_1(redis, keys, State.ENDED, user="ada")
    await redis.delete(keys.in_state(State.ENDED), keys.slots)
    assert (await store.get(over)).status is State.ENDED


def test_the_command_line(
    environment: None, capsys: pytest.CaptureFixture[str], settings: StoreSettings
) -> None:
    del environment
    assert main(["check"]) == 0
    assert f"none yet, this code: {SCHEMA}" in capsys.readouterr().out
    assert main(["migrate"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["forget", "ada"]) == 0
    assert main(["forget", "a b"]) == 1
    assert "user id" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["forget"])
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "migrate" in capsys.readouterr().out
    assert settings.redis_prefix


def test_the_command_line_without_redis(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2hunter2@127.0.0.1:1/0")
    assert main(["check"]) == 1
    assert "hunter2" not in capsys.readouterr().err
    monkeypatch.setenv("MAX_SESSIONS", "none")
    assert main(["check"]) == 2
    assert "MAX_SESSIONS" in capsys.readouterr().err
