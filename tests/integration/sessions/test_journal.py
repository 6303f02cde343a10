"""Logs, events, and how others follow them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from sessions.errors import SessionNotFound, StaleEpoch
from sessions.ids import new_session_id
from sessions.journal import LogLine
from sessions.keys import Keys
from sessions.settings import EVENTS_KEPT, StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000


async def test_lines_are_dated_by_how_long_ago_they_were_said(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS), newcomer()
    await store.admit(session)
    store.now_ms = START_MS + 5_000
    await store.journal.log(
        session.id,
        [
            LogLine(level="INFO", text="joined the room", age_ms=1_500),
            LogLine(level="error", text="x y  z\nline two"),
        ],
        epoch=1,
    )
    lines = await store.journal.logs(session.id)
    assert [(line.at_ms, line.level, line.text) for line in lines] == [
        (START_MS + 3_500, "info", "joined the room"),
        (START_MS + 5_000, "error", "x y  z\nline two"),
    ]


async def test_a_log_keeps_the_last_200_lines(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    for batch in range(25):
        await store.journal.log(
            session.id, [LogLine(level="info", text=f"{batch}.{line}") for line in range(10)]
        )
    lines = await store.journal.logs(session.id)
    assert len(lines) == 200
    assert (lines[0].text, lines[-1].text) == ("5.0", "24.9")
    assert [line.text for line in await store.journal.logs(session.id, last=2)] == ["24.8", "24.9"]


async def test_an_empty_batch_and_odd_ages(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    assert not (await store.journal.log(session.id, [])).changed
    await store.journal.log(session.id, [LogLine(level="info", text="x", age_ms=-5)])
    await store.journal.log(session.id, [LogLine(level="info", text="y", age_ms=10**12)])
    assert [line.text for line in await store.journal.logs(session.id, last=0)] == ["y"]
    assert len(await store.journal.logs(session.id)) == 2


async def test_an_agent_that_was_replaced_logs_nothing(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    await store.lose(session.id, "died", epoch=1, is_certain=True)
    with pytest.raises(StaleEpoch):
        await store.journal.log(session.id, [LogLine(level="info", text="still here")], epoch=1)


async def test_a_log_outlives_its_session_as_long_as_the_record(
    make_store: MakeStore, redis: Redis, settings: StoreSettings
) -> None:
    store, session = make_store(history_ttl_s=60), newcomer()
    await store.admit(session)
    await store.journal.log(session.id, [LogLine(level="info", text="before")])
    await store.end(session.id)
    await store.mark_closed(session.id)
    await store.journal.log(session.id, [LogLine(level="info", text="after")])
    assert [line.text for line in await store.journal.logs(session.id)] == ["before", "after"]
    assert 0 < await redis.ttl(Keys(settings.redis_prefix).logs(session.id)) <= 60


async def test_an_unknown_session_has_no_log(store: SessionStore) -> None:
    unknown = new_session_id()
    assert await store.journal.logs(unknown) == []
    for call in (store.journal.events(unknown), store.journal.publish(unknown, "x")):
        with pytest.raises(SessionNotFound):
            await call


async def test_a_session_remembers_what_happened_to_it(make_store: MakeStore) -> None:
    store, session = make_store(now_ms=START_MS), newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    await store.journal.publish(session.id, "asked for a tool: clock", epoch=1)
    store.now_ms = START_MS + 300
    await store.mark_ready(session.id, 1)
    await store.lose(session.id, "its process died", epoch=1, is_certain=True)
    events = await store.journal.events(session.id)
    assert [(event.revision, event.at_ms, event.status, event.epoch) for event in events] == [
        (1, START_MS, State.STARTING, 1),
        (2, START_MS, State.STARTING, 1),
        (3, START_MS + 300, State.READY, 1),
        (4, START_MS + 300, State.RECOVERING, 2),
    ]
    assert [event.detail for event in events] == [
        None,
        "asked for a tool: clock",
        None,
        "its process died",
    ]
    assert await store.journal.events(session.id, after=3) == events[3:]
    assert (await store.get(session.id)).revision == 4


async def test_only_the_last_events_are_kept(store: SessionStore) -> None:
    session = newcomer()
    await store.admit(session)
    for number in range(EVENTS_KEPT + 5):
        await store.journal.publish(session.id, str(number))
    events = await store.journal.events(session.id)
    assert len(events) == EVENTS_KEPT
    assert [event.revision for event in events] == list(range(7, EVENTS_KEPT + 7))


async def test_changes_of_all_sessions_can_be_followed_and_resumed(store: SessionStore) -> None:
    assert await store.journal.follow(await store.journal.cursor(), block_ms=1) == []
    one, other = newcomer(), newcomer()
    await store.admit(one)
    cursor = await store.journal.cursor()
    await store.admit(other)
    await store.end(one.id)
    changes = await store.journal.follow(cursor)
    assert [(change.session_id, change.revision, change.status) for change in changes] == [
        (other.id, 1, State.STARTING),
        (one.id, 2, State.ENDING),
    ]
    assert await store.journal.follow(changes[0].cursor) == changes[1:]
    assert await store.journal.follow(changes[-1].cursor, block_ms=1) == []
