"""How many sessions may begin in a minute: of a user, of a caller, of all callers together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sessions.errors import AtCapacity, InvalidInput, RateLimited
from sessions.model import Newcomer, Outcome, UserPolicy
from sessions.store import SessionStore
from tests.integration.sessions.conftest import newcomer

MakeStore = Callable[..., SessionStore]

START_MS = 1_000_000
ONE, OTHER = "1" * 32, "2" * 32


def called(caller: str | None = ONE, user: str | None = None) -> Newcomer:
    return replace(newcomer(user=user), caller=caller)


async def test_a_caller_may_start_so_many_sessions_a_minute(make_store: MakeStore) -> None:
    """The limit is the caller's, whoever it names; what has no caller has none."""
    store = make_store(now_ms=START_MS, start_limit_per_minute=3)
    for user in ("ada", "bob", None):
        await store.admit(called(user=user))
    with pytest.raises(RateLimited) as caught:
        await store.admit(called(user="eve"))
    assert caught.value.retry_after_s == 20
    await store.admit(called(OTHER))
    await store.admit(called(None))
    store.now_ms = START_MS + 20_000
    await store.admit(called())
    with pytest.raises(RateLimited):
        await store.admit(called())


async def test_all_callers_together_may_start_so_many(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS, all_starts_per_minute=2)
    await store.admit(called(ONE))
    await store.admit(called(OTHER))
    with pytest.raises(RateLimited) as caught:
        await store.admit(called("3" * 32))
    assert caught.value.retry_after_s == 30
    await store.admit(called(None))
    store.now_ms = START_MS + 30_000
    await store.admit(called("3" * 32))


async def test_who_is_refused_by_one_limit_is_not_charged_by_another(
    make_store: MakeStore,
) -> None:
    store = make_store(now_ms=START_MS, start_limit_per_minute=1, all_starts_per_minute=2)
    await store.admit(called(ONE))
    for _ in range(3):
        with pytest.raises(RateLimited):
            await store.admit(called(ONE))
    await store.admit(called(OTHER))


async def test_what_did_not_begin_is_not_charged(make_store: MakeStore) -> None:
    """Neither a start that finds no slot, nor one that is known, or comes back to a session."""
    store = make_store(now_ms=START_MS, max_sessions=2, start_limit_per_minute=2)
    first, filling = called(user="ada"), called(None)
    await store.admit(first)
    await store.admit(filling)
    for _ in range(3):
        assert (await store.admit(first)).outcome is Outcome.KNOWN
        with pytest.raises(AtCapacity):
            await store.admit(called())
        resumed = await store.admit(called(user="ada"), policy=UserPolicy.RESUME)
        assert resumed.outcome is Outcome.RESUMED
    await store.end(filling.id)
    await store.admit(called())


async def test_who_comes_back_to_a_session_is_let_in_beyond_the_limits(
    make_store: MakeStore,
) -> None:
    store = make_store(
        now_ms=START_MS,
        user_starts_per_minute=1,
        start_limit_per_minute=1,
        all_starts_per_minute=1,
    )
    await store.admit(called(user="ada"))
    resumed = await store.admit(called(user="ada"), policy=UserPolicy.RESUME)
    assert resumed.outcome is Outcome.RESUMED
    with pytest.raises(RateLimited):
        await store.admit(called(user="ada"), policy=UserPolicy.REPLACE)


async def test_a_caller_is_no_part_of_another_key(store: SessionStore) -> None:
    for text in ("", "all", "127.0.0.1", "1" * 31, "1" * 33, "A" * 32, "1" * 32 + "\n"):
        with pytest.raises(InvalidInput):
            await store.admit(called(text))
