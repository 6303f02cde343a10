"""Whoever waits for a change hears of it: of this one, at once, and after an outage of any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.ids import new_session_id
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed, Subscription
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import MakeStore, line_up, running_loops
from tests.support.gate import Gate, gate_before
from tests.support.servers import RedisServer
from tests.support.wait import eventually

SOON_S = 20.0


@pytest.fixture
async def gate(redis_server: RedisServer) -> AsyncIterator[Gate]:
    async with gate_before(redis_server.port) as gate:
        yield gate


@pytest.fixture
async def feed(gate: Gate, settings: StoreSettings) -> AsyncIterator[ChangeFeed]:
    """A feed that reaches Redis through the gate, and is not run yet."""
    url = SecretStr(f"redis://127.0.0.1:{gate.port}/0")
    client = connect(settings.model_copy(update={"redis_url": url}), Temper.HASTY)
    yield ChangeFeed(SessionStore(client, settings))
    await client.aclose()


async def test_a_change_wakes_those_who_wait_for_that_session(
    store: SessionStore, feed: ChangeFeed
) -> None:
    holder, first, second = await line_up(store, 2)
    async with (
        feed.subscribe(first.id) as of_first,
        feed.subscribe(first.id) as of_first_too,
        feed.subscribe(second.id) as of_second,
        running_loops(feed.run()),
    ):
        await _forget_the_beginning(of_first, of_first_too, of_second)
        waits = [asyncio.create_task(one.wait(SOON_S)) for one in (of_first, of_first_too)]
        await store.end(holder.id)
        assert await asyncio.gather(*waits) == [True, True]
        assert not await of_second.wait(0)


async def test_a_change_between_two_waits_is_not_missed(
    store: SessionStore, feed: ChangeFeed
) -> None:
    holder, first = await line_up(store, 1)
    async with feed.subscribe(first.id) as changes, running_loops(feed.run()):
        await _forget_the_beginning(changes)
        await store.end(holder.id)

        async def is_admitted() -> bool:
            return changes._changed.is_set()

        await eventually(is_admitted)
        assert await changes.wait(0)
        assert not await changes.wait(0)


async def test_a_loop_hears_of_every_session_that_comes_into_a_state(
    store: SessionStore, feed: ChangeFeed
) -> None:
    holder, first, _ = await line_up(store, 2)
    async with (
        feed.watch(State.READY) as ready,
        feed.watch(State.STARTING, State.RECOVERING) as starting,
        running_loops(feed.run()),
    ):
        await _forget_the_beginning(ready, starting)
        await store.end(holder.id)
        assert await starting.wait(SOON_S)
        assert not await ready.wait(0)
        await store.claim(first.id, 1, agent())
        await store.mark_ready(first.id, 1)
        assert await ready.wait(SOON_S)
        assert not await starting.wait(0)


async def test_after_an_outage_all_are_woken_and_hear_on(
    store: SessionStore, feed: ChangeFeed, gate: Gate
) -> None:
    """1. Redis is away. 2. It is back; nothing happened to one session, something to another.

    Result: both are woken, for nobody can know what was missed. Later changes are heard of.
    """
    holder, first, second = await line_up(store, 2)
    async with (
        feed.subscribe(first.id) as of_first,
        feed.subscribe(second.id) as of_second,
        feed.watch(State.STARTING) as starting,
        running_loops(feed.run()),
    ):
        await _forget_the_beginning(of_first, of_second, starting)
        await gate.shut()
        await store.end(holder.id)
        assert not await of_first.wait(0.3)
        await gate.open()
        for woken in (of_first, of_second, starting):
            assert await woken.wait(SOON_S)
        await store.claim(first.id, 1, agent())
        await store.end(first.id)
        assert await of_second.wait(SOON_S)


async def test_it_may_begin_before_redis_does(
    store: SessionStore, feed: ChangeFeed, gate: Gate
) -> None:
    await gate.shut()
    holder, first = await line_up(store, 1)
    async with feed.subscribe(first.id) as changes, running_loops(feed.run()):
        assert not await changes.wait(0.3)
        await gate.open()
        await _forget_the_beginning(changes)
        await store.end(holder.id)
        assert await changes.wait(SOON_S)


async def test_what_it_cannot_read_does_not_stop_it(
    store: SessionStore, feed: ChangeFeed, redis: Client
) -> None:
    """1. Something is in the stream that is no change. Result: changes after it are heard of."""
    holder, first = await line_up(store, 1)
    async with feed.subscribe(first.id) as changes, running_loops(feed.run()):
        await _forget_the_beginning(changes)
        await redis.xadd(store._engine.keys.events, {"what": "is this"})
        assert await changes.wait(SOON_S)
        await store.end(holder.id)
        assert await changes.wait(SOON_S)


async def test_it_ends_at_whatever_moment_it_is_cancelled(
    store: SessionStore, feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A change comes. 2. The feed is cancelled a few steps later: at one of them it sends the
    next question to Redis, where Python 3.11 loses the cancellation.

    Result: it ends all the same; a server that stops would wait for it for ever.
    """
    monkeypatch.setattr("supervisor.changes._GATHER_S", 0)
    current, *waiting = await line_up(store, 10)
    for steps, one in enumerate(waiting):
        async with feed.subscribe(one.id) as changes:
            running = asyncio.create_task(feed.run())
            await _forget_the_beginning(changes)
            await store.end(current.id)
            assert await changes.wait(SOON_S)
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            done, _ = await asyncio.wait({running}, timeout=SOON_S)
            assert done
        current = one


async def test_a_session_that_begins_with_its_agent_wakes_no_loop(
    make_store: MakeStore, feed: ChangeFeed
) -> None:
    """It is for whoever started it; a burst of starts is not to wake the loops as often."""
    store = make_store(max_sessions=100)
    session = newcomer()
    async with (
        feed.subscribe(session.id) as changes,
        feed.watch(State.STARTING) as starting,
        running_loops(feed.run()),
    ):
        await _forget_the_beginning(changes, starting)
        await store.admit(session)
        assert await changes.wait(SOON_S)
        assert not await starting.wait(0)


async def test_nothing_is_kept_of_those_who_left(feed: ChangeFeed) -> None:
    for _ in range(100):
        async with feed.subscribe(new_session_id()), feed.watch(State.STARTING):
            pass
    assert feed._by_session == {}
    assert not any(feed._by_state.values())


async def _forget_the_beginning(*subscriptions: Subscription) -> None:
    """Everybody is woken once when the feed begins to follow."""
    for one in subscriptions:
        assert await one.wait(SOON_S)
