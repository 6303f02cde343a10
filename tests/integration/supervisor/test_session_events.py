"""Integrators are told of sessions: all of it, in order, whatever receivers and leaders do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from sessions.errors import Deposed
from sessions.ids import SessionId, UserId, new_identity, new_session_id
from sessions.keys import Keys
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from supervisor.session_events import AT_ONCE, SessionEvents
from telemetry.meter import Meter
from tests.integration.sessions.conftest import agent
from tests.integration.supervisor.conftest import MakeStore
from tests.support.notices import SECRET, notice_settings, told, verified
from tests.support.odd_server import Answer, Asked, says
from tests.support.receiver import Receiver, never
from tests.support.wait import eventually

#: Longer than any test.
GIVE_UP_S = 600.0

Lead = Callable[..., Awaitable[SessionEvents]]


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(max_sessions=100, user_starts_per_minute=0)


@pytest.fixture
def lead(store: SessionStore, receiver: Receiver, meter: Meter) -> Lead:
    """Makes a leader that knows where the last one was, or that begins now."""

    async def make(
        give_up_s: float = GIVE_UP_S, timeout_s: float = 15, of: SessionStore = store
    ) -> SessionEvents:
        courier = notice_settings(receiver, webhook_timeout_s=timeout_s).event_courier()
        assert courier is not None
        events = SessionEvents(of, courier, meter, give_up_s=give_up_s)
        await events.tell_once()
        return events

    return make


async def begin(store: SessionStore, user: str | None = "ada") -> SessionId:
    """Have an agent and a user talk."""
    one = Newcomer(
        id=new_session_id(),
        user_id=None if user is None else UserId(user),
        identity=new_identity(),
        persona="interviewer",
    )
    await store.admit(one)
    await store.claim(one.id, 1, agent())
    await store.mark_ready(one.id, 1)
    await store.mark_joined(one.id)
    return one.id


async def end(store: SessionStore, session_id: SessionId) -> None:
    await store.end(session_id, reason="user_left")
    await store.mark_closed(session_id)


def about(session_id: SessionId, receiver: Receiver) -> list[str]:
    """Return what a receiver was told of one session, in order."""
    return [one["type"] for one in told(receiver) if one["data"]["sessionId"] == session_id]


def counted(meter: Meter, result: str) -> float:
    labels = {"kind": "event", "result": result}
    value = meter.registry.get_sample_value("voicefleet_notices_total", labels)
    assert value is not None
    return value


def waiting(meter: Meter) -> float | None:
    return meter.registry.get_sample_value("voicefleet_notices_waiting", {"kind": "event"})


async def until(events: SessionEvents, condition: Callable[[], bool]) -> None:
    """Have a leader look until something holds."""

    async def looked() -> bool:
        await events.tell_once()
        return condition()

    await eventually(looked, 60)


async def test_a_session_is_told_of_as_it_goes(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """1. A user talks. 2. The agent is lost, and another comes; something is published. 3. It ends.

    Result: that it has started and ended, once each, with what the API knows of it.
    """
    events = await lead()
    session_id = await begin(store)
    await store.lose(session_id, "x", epoch=1, is_certain=True)
    await store.claim(session_id, 2, agent("AJ_two"))
    await store.mark_ready(session_id, 2)
    await store.journal.publish(session_id, "something")
    await end(store, session_id)
    session = await store.get(session_id)
    await events.tell_once()
    await events.tell_once()
    started, ended = told(receiver)
    common: dict[str, Any] = {
        "sessionId": session_id,
        "roomName": f"vf-{session_id}",
        "userId": "ada",
        "persona": "interviewer",
        "createdAt": session.created_at_ms,
        "readyAt": session.ready_at_ms,
        "joinedAt": session.joined_at_ms,
        "startupTime": (session.startup_ms or 0) / 1000,
        "error": None,
    }
    assert started["type"] == "session.started"
    assert started["data"] == common | {
        "status": "active",
        "revision": 3,
        "endedAt": None,
        "talkTime": None,
        "reason": None,
    }
    assert started["id"] == f"session_{session_id}_3"
    assert ended["type"] == "session.ended"
    assert ended["data"] == common | {
        "status": "ended",
        "revision": session.revision,
        "endedAt": session.ended_at_ms,
        "talkTime": ((session.ended_at_ms or 0) - (session.joined_at_ms or 0)) / 1000,
        "reason": "user_left",
    }


async def test_failures_say_why_and_whoever_gave_up_in_line_has_ended(
    make_store: MakeStore, lead: Lead, receiver: Receiver
) -> None:
    store = make_store(max_sessions=1, ticket_ttl_s=0.1)
    events = await lead()
    failed = await begin(store, user=None)
    late = Newcomer(id=new_session_id(), user_id=None, identity=new_identity())
    await store.admit(late, may_wait=True)

    async def has_lapsed() -> bool:
        await store.queue.advance()
        return (await store.get(late.id)).is_over

    await eventually(has_lapsed)
    await store.fail(failed, "The agent was lost.")
    await store.mark_closed(failed)
    await events.tell_once()
    by_type = {one["type"]: one["data"] for one in told(receiver)}
    assert by_type["session.failed"]["error"] == {
        "code": "session_failed",
        "message": "The agent was lost.",
    }
    assert by_type["session.failed"]["userId"] is None
    assert by_type["session.ended"]["sessionId"] == late.id
    assert by_type["session.ended"]["status"] == "expired"
    assert by_type["session.ended"]["talkTime"] is None


async def test_what_was_before_the_first_leader_is_told_to_nobody(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    before = await begin(store)
    events = await lead()
    await end(store, before)
    await events.tell_once()
    assert about(before, receiver) == ["session.ended"]


async def test_the_next_leader_goes_on_where_the_last_one_was(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """1. A leader tells of a start. 2. Nobody leads, and the session ends. 3. Another leads."""
    events = await lead()
    session_id = await begin(store)
    await events.tell_once()
    await end(store, session_id)
    await lead()
    await lead()
    assert about(session_id, receiver) == ["session.started", "session.ended"]


async def test_a_leader_that_is_killed_in_the_middle_loses_nothing(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """1. The receiver takes some messages, and hangs with others. 2. The leader is killed. 3. The
    receiver is well, and another leads.

    Result: everything is told; what is told twice has the same id and body.
    """
    first = await lead()
    sessions = [await begin(store) for _ in range(5)]
    receiver.answer = _hangs_with({sessions[2]})
    killed = asyncio.create_task(first.tell_once())
    await eventually(lambda: _has(len(receiver.posts) == 5))
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    receiver.answer = says(200)
    await lead()
    for session_id in sessions:
        assert set(about(session_id, receiver)) == {"session.started"}
    assert len(about(sessions[2], receiver)) == 2
    assert len({post.headers["webhook-id"] for post in receiver.posts}) == 5
    assert len({post.body for post in receiver.posts}) == 5


async def test_messages_of_a_session_come_in_their_order(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """The first of a session fails a few times; those of another one pass it by."""
    events = await lead()
    slow, other = await begin(store), await begin(store)
    for session_id in (slow, other):
        await end(store, session_id)
    receiver.answer = _fails_first(slow, times=2)
    await until(events, lambda: len(about(slow, receiver)) == 4)
    assert about(slow, receiver) == ["session.started"] * 3 + ["session.ended"]
    assert about(other, receiver) == ["session.started", "session.ended"]
    last_of_other = max(_places(other, receiver))
    assert last_of_other < max(_places(slow, receiver))


async def test_one_that_is_refused_does_not_hold_up_the_others(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    events = await lead()
    refused, other = await begin(store), await begin(store)
    receiver.answer = _refuses({refused}, status=422)
    await end(store, refused)
    await end(store, other)
    await events.tell_once()
    assert about(refused, receiver) == ["session.started", "session.ended"]
    assert about(other, receiver) == ["session.started", "session.ended"]
    assert (counted(meter, "refused"), counted(meter, "delivered")) == (2, 2)
    assert waiting(meter) == 0


async def test_a_receiver_that_was_down_is_told_everything(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    """And it is left alone while it is down: not asked once for each message."""
    events = await lead()
    receiver.answer = says(500)
    sessions = [await begin(store) for _ in range(40)]
    await until(events, lambda: len(receiver.posts) > 2 * AT_ONCE)
    assert (waiting(meter) or 0) == len(sessions)
    receiver.answer = says(204)
    receiver.posts.clear()
    await until(events, lambda: waiting(meter) == 0)
    assert all(about(session_id, receiver) == ["session.started"] for session_id in sessions)
    assert counted(meter, "delivered") == len(sessions)


async def test_so_many_are_under_way_at_a_time(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    events = await lead()
    for _ in range(3 * AT_ONCE):
        await begin(store)
    gate = asyncio.Event()

    async def holds(post: Asked, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await says(200)(post, writer)

    receiver.answer = holds
    telling = asyncio.create_task(events.tell_once())
    await eventually(lambda: _has(receiver.most_at_once == AT_ONCE))
    gate.set()
    await telling
    assert len(receiver.posts) == 3 * AT_ONCE
    assert receiver.most_at_once == AT_ONCE


async def test_what_happens_meanwhile_is_told_though_a_message_hangs(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    events = await lead()
    hanging = await begin(store)
    receiver.answer = _hangs_with({hanging})
    telling = asyncio.create_task(events.tell_once())
    await eventually(lambda: _has(len(receiver.posts) == 1))
    meanwhile = await begin(store)
    await eventually(lambda: _has(about(meanwhile, receiver) == ["session.started"]))
    assert not telling.done()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_what_is_too_old_is_given_up(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    events = await lead(give_up_s=0.5)
    receiver.answer = says(500)
    await begin(store)
    await until(events, lambda: counted(meter, "given_up") == 1)
    assert receiver.posts
    assert waiting(meter) == 0


async def test_who_wants_none_any_more_is_left_alone(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    events = await lead()
    receiver.answer = says(410)
    await begin(store)
    await events.tell_once()
    for _ in range(3):
        await begin(store)
    await events.tell_once()
    assert len(receiver.posts) == 1
    assert (counted(meter, "gone"), waiting(meter)) == (4, 0)


async def test_a_receiver_that_wants_to_be_left_alone_is(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """Not a single message comes, though others wait."""
    events = await lead()
    receiver.answer = says(429, Retry_After="120")
    await begin(store)
    await events.tell_once()
    await begin(store)
    await events.tell_once()
    assert len(receiver.posts) == 1


async def test_what_the_store_has_dropped_is_counted(
    store: SessionStore, lead: Lead, redis: Redis, settings: StoreSettings, meter: Meter
) -> None:
    """1. Nobody leads while 15 things happen; the store keeps the last three of them."""
    await lead()
    for _ in range(5):
        await begin(store)
    name = Keys(settings.redis_prefix).events
    assert await redis.xlen(name) == 15
    await redis.xtrim(name, maxlen=3, approximate=False)
    await lead()
    assert counted(meter, "missed") == 12
    await lead()
    assert counted(meter, "missed") == 12


async def test_what_is_forgotten_is_told_to_nobody(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    """1. A message waits for its next attempt. 2. Its user is forgotten."""
    events = await lead()
    receiver.answer = says(500)
    session_id = await begin(store, user="eve")
    await events.tell_once()
    receiver.answer = says(200)
    receiver.posts.clear()
    await store.conversations.forget(UserId("eve"))
    await store.mark_closed(session_id)
    await until(events, lambda: waiting(meter) == 0)
    assert "eve" not in "".join(post.body.decode() for post in receiver.posts)


async def test_a_leader_that_was_followed_moves_nothing(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    await lead()
    await store.office.stand("another", lease_s=4)
    session_id = await begin(store)
    with pytest.raises(Deposed):
        await lead(of=store.fenced(lambda: 0))
    receiver.posts.clear()
    await lead(of=store.fenced(lambda: 1))
    assert about(session_id, receiver) == ["session.started"]


async def test_no_line_of_the_log_has_the_url_the_secret_or_a_user(
    store: SessionStore, lead: Lead, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for behaviour in (says(500), says(400), says(302), never, says(410)):
        receiver.answer = behaviour
        events = await lead(timeout_s=0.3)
        await begin(store, user="somebody@example.com")
        await events.tell_once()
    lines = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "an event was refused" in lines
    assert "an event could not be delivered yet" in lines
    for secret in ("s3cret-path", SECRET.removeprefix("whsec_"), "somebody@example.com"):
        assert secret not in lines


async def _has(holds: bool) -> bool:
    return holds


def _places(session_id: SessionId, receiver: Receiver) -> list[int]:
    posts = enumerate(receiver.posts)
    return [place for place, post in posts if _session_of(post) == session_id]


def _session_of(post: Asked) -> str:
    return str(verified(post)["data"]["sessionId"])


def _hangs_with(sessions: set[SessionId]) -> Answer:
    async def behave(post: Asked, writer: asyncio.StreamWriter) -> None:
        await (never if _session_of(post) in sessions else says(200))(post, writer)

    return behave


def _refuses(sessions: set[SessionId], status: int) -> Answer:
    async def behave(post: Asked, writer: asyncio.StreamWriter) -> None:
        is_refused = json.loads(post.body)["data"]["sessionId"] in sessions
        await says(status if is_refused else 200)(post, writer)

    return behave


def _fails_first(session_id: SessionId, times: int) -> Answer:
    left = times

    async def behave(post: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        is_to_fail = left > 0 and _session_of(post) == session_id
        left -= is_to_fail
        await says(503 if is_to_fail else 200)(post, writer)

    return behave
