"""Alerts get to whoever is to know: once, in spite of receivers and leaders that fail."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from notices.settings import NoticeSettings
from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.errors import Deposed
from sessions.fleet import Beat, Registration
from sessions.ids import WorkerId
from sessions.store import SessionStore
from supervisor.alarms import Alarms
from telemetry.meter import Meter
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import MakeStore
from tests.support.notices import SECRET, notice_settings, told
from tests.support.odd_server import says
from tests.support.receiver import Receiver

START_MS = 1_764_000_000_000
FOR_S, CLEAR_S, REPEAT_S = 30, 120, 14_400
WORKER = WorkerId("w-1")

Lead = Callable[..., Alarms]


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, max_sessions=100)


@pytest.fixture
async def rooms() -> AsyncIterator[Rooms]:
    """Nobody is asked: only whether the circuit is open."""
    settings = RoomSettings(livekit_api_key="key", livekit_api_secret=SecretStr("s" * 32))
    async with open_rooms(settings) as client:
        yield client


@pytest.fixture
def lead(store: SessionStore, rooms: Rooms, receiver: Receiver, meter: Meter) -> Lead:
    """Makes a leader, who knows nothing but what stands in the store."""

    def make(settings: NoticeSettings | None = None, of: SessionStore = store) -> Alarms:
        settings = settings or notice_settings(receiver)
        courier = settings.alert_courier()
        assert courier is not None
        return Alarms(of, rooms, courier, settings, meter)

    return make


def go_on(store: SessionStore, seconds: float) -> None:
    store.now_ms = (store.now_ms or 0) + round(seconds * 1000)


async def be_well(store: SessionStore) -> None:
    """Have a worker, with warm processes."""
    await store.fleet.register(Registration(id=WORKER, capacity=5, host="h", version="1"))
    await store.fleet.renew(WORKER, Beat(active=0, idle=3, load=0.1, spawned=3))


async def be_alone(store: SessionStore) -> None:
    await store.fleet.leave(WORKER)


def kinds(receiver: Receiver) -> list[tuple[str, str]]:
    return [(one["type"].removeprefix("alert."), one["data"]["code"]) for one in told(receiver)]


def counted(meter: Meter, result: str) -> float:
    value = meter.registry.get_sample_value(
        "voicefleet_notices_total", {"kind": "alert", "result": result}
    )
    assert value is not None
    return value


async def test_what_is_wrong_for_a_while_is_told_once_and_when_it_is_over(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    alarms = lead()
    await alarms.look_once()
    go_on(store, FOR_S - 1)
    await alarms.look_once()
    assert receiver.posts == []
    go_on(store, 1)
    for _ in range(3):
        await alarms.look_once()
        go_on(store, 10)
    firing: dict[str, Any]
    (firing,) = told(receiver)
    assert firing["type"] == "alert.firing"
    assert firing["id"] == f"alert_no_worker_{START_MS}_1"
    assert {name: firing["data"][name] for name in ("code", "severity", "since", "until")} == {
        "code": "no_worker",
        "severity": "critical",
        "since": START_MS,
        "until": None,
    }
    await be_well(store)
    seen_ms = (store.now_ms or 0) - 10_000
    for passed_s in (0, CLEAR_S - 20, 10):
        go_on(store, passed_s)
        await alarms.look_once()
    assert len(receiver.posts) == 2
    over = told(receiver)[1]
    assert (over["type"], over["data"]["until"]) == ("alert.resolved", seen_ms)
    assert over["id"] == f"alert_no_worker_{START_MS}_resolved"
    assert await store.office.notices.read() == {}
    # Should it come again, it is another one.
    await be_alone(store)
    await alarms.look_once()
    go_on(store, FOR_S)
    await alarms.look_once()
    assert told(receiver)[2]["id"] != firing["id"]


async def test_what_comes_and_goes_is_told_to_nobody(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """1. It is wrong for a moment. 2. An alert that fires is well for a moment."""
    alarms = lead()
    await alarms.look_once()
    go_on(store, FOR_S - 1)
    await be_well(store)
    await alarms.look_once()
    await be_alone(store)
    go_on(store, 1)
    await alarms.look_once()
    assert receiver.posts == []
    go_on(store, FOR_S)
    await alarms.look_once()
    for _ in range(4):
        await be_well(store)
        go_on(store, CLEAR_S - 1)
        await alarms.look_once()
        await be_alone(store)
        go_on(store, 1)
        await alarms.look_once()
    assert kinds(receiver) == [("firing", "no_worker")]


async def test_nobody_knows_what_was_while_nobody_looked(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """1. It is wrong. 2. There is no leader for an hour. 3. It is wrong again: just now."""
    await lead().look_once()
    go_on(store, 3_600)
    await lead().look_once()
    assert receiver.posts == []
    go_on(store, FOR_S)
    await lead().look_once()
    assert told(receiver)[0]["data"]["since"] == START_MS + 3_600_000


async def test_it_is_told_again_while_it_lasts(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    alarms = lead()
    await alarms.look_once()
    for passed_s in (FOR_S, REPEAT_S - 1, 1, 10):
        go_on(store, passed_s)
        await alarms.look_once()
    assert [one["id"].rpartition("_")[2] for one in told(receiver)] == ["1", "2"]


async def test_the_next_leader_neither_repeats_nor_forgets(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """Each look is that of another leader."""
    await lead().look_once()
    for _ in range(5):
        go_on(store, FOR_S)
        await lead().look_once()
    assert kinds(receiver) == [("firing", "no_worker")]
    await be_well(store)
    for _ in range(3):
        go_on(store, CLEAR_S)
        await lead().look_once()
    assert kinds(receiver) == [("firing", "no_worker"), ("resolved", "no_worker")]


async def test_what_could_not_be_delivered_is_by_the_next_leader(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    """1. The receiver is down while an alert fires, and until it is over. 2. Another leads. 3. The
    receiver is back.

    Result: both messages come, in their order, the first as it was at the first attempt.
    """
    receiver.answer = says(503)
    first = lead()
    await first.look_once()
    go_on(store, FOR_S)
    await first.look_once()
    (lost,) = receiver.posts
    await be_well(store)
    for _ in range(3):
        go_on(store, CLEAR_S)
        await lead().look_once()
    assert meter.registry.get_sample_value("voicefleet_notices_waiting", {"kind": "alert"}) == 2
    assert {one["type"] for one in told(receiver)} == {"alert.firing"}
    receiver.answer = says(200)
    receiver.posts.clear()
    for _ in range(3):
        go_on(store, 400)
        await lead().look_once()
    assert kinds(receiver) == [("firing", "no_worker"), ("resolved", "no_worker")]
    assert receiver.posts[0].body == lost.body
    assert receiver.posts[0].headers["webhook-id"] == lost.headers["webhook-id"]
    age = meter.registry.get_sample_value("voicefleet_notice_oldest_seconds", {"kind": "alert"})
    assert (age, counted(meter, "delivered")) == (0, 2)


async def test_a_leader_that_was_followed_tells_nothing(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """It writes down what it is to tell before it tells it, and is refused."""
    await lead().look_once()
    go_on(store, FOR_S)
    await store.office.stand("another", lease_s=4)
    stopped = store.fenced(lambda: 0)
    with pytest.raises(Deposed):
        await lead(of=stopped).look_once()
    assert receiver.posts == []
    await lead(of=store.fenced(lambda: 1)).look_once()
    assert len(receiver.posts) == 1


async def test_attempts_are_further_and_further_apart(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    """A receiver that is broken for an hour, looked at every 10 s."""
    receiver.answer = says(500)
    alarms = lead()
    await alarms.look_once()
    attempts = []
    for second in range(FOR_S, 3_600, 10):
        store.now_ms = START_MS + second * 1000
        await alarms.look_once()
        attempts.append(len(receiver.posts))
    assert attempts[0] == 1
    assert 10 <= attempts[-1] <= 25
    assert attempts[len(attempts) // 2] > attempts[-1] // 2


async def test_a_receiver_that_wants_to_be_left_alone_is_within_bounds(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    receiver.answer = says(429, Retry_After="1000000000")
    alarms = lead()
    await alarms.look_once()
    go_on(store, FOR_S)
    await alarms.look_once()
    receiver.answer = says(200)
    go_on(store, 290)
    await alarms.look_once()
    assert len(receiver.posts) == 1
    go_on(store, 11)
    await alarms.look_once()
    assert len(receiver.posts) == 2


@pytest.mark.parametrize(("status", "again"), [(400, 2), (410, 1)])
async def test_who_refuses_is_asked_again_when_there_is_more_to_tell(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter, *, status: int, again: int
) -> None:
    """But not who says that there is nobody any more."""
    receiver.answer = says(status)
    alarms = lead()
    await alarms.look_once()
    for passed_s in (FOR_S, 600, 600, REPEAT_S):
        go_on(store, passed_s)
        await alarms.look_once()
    assert len(receiver.posts) == again
    assert counted(meter, "refused" if status == 400 else "gone") == 2


async def test_what_nobody_took_until_it_is_repeated_is_given_up(
    store: SessionStore, lead: Lead, receiver: Receiver, meter: Meter
) -> None:
    receiver.answer = says(500)
    await lead().look_once()
    for passed_s in (FOR_S, REPEAT_S + 1):
        go_on(store, passed_s)
        await lead().look_once()
    assert counted(meter, "given_up") == 1
    assert len([name for name in await store.office.notices.read() if "letter" in name]) == 1


async def test_failures_that_use_up_the_budget_are_told(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    await be_well(store)
    for _ in range(3):
        one = newcomer(user=None)
        await store.admit(one)
        await store.claim(one.id, 1, agent())
        await store.mark_ready(one.id, 1)
        await store.fail(one.id, "x")
    alarms = lead()
    await alarms.look_once()
    go_on(store, FOR_S)
    await alarms.look_once()
    assert kinds(receiver) == [("firing", "error_budget_burns")]


async def test_slack_is_told_in_words(store: SessionStore, lead: Lead, receiver: Receiver) -> None:
    settings = notice_settings(receiver, alert_webhook_format="slack", alert_webhook_secret=None)
    alarms = lead(settings)
    await alarms.look_once()
    go_on(store, FOR_S)
    await alarms.look_once()
    (post,) = receiver.posts
    assert json.loads(post.body)["text"].startswith(":red_circle: Critical: No worker is there")
    assert not [name for name in post.headers if name.startswith("webhook")]


async def test_what_another_version_kept_is_no_hindrance(
    store: SessionStore, lead: Lead, receiver: Receiver
) -> None:
    await store.office.notices.write({"alarm:no_worker": "[1]", "letter:x": "", "other": "kept"})
    await lead().look_once()
    go_on(store, FOR_S)
    await lead().look_once()
    assert kinds(receiver) == [("firing", "no_worker")]
    assert (await store.office.notices.read())["other"] == "kept"


async def test_no_line_of_the_log_has_the_url_or_the_secret(
    store: SessionStore, lead: Lead, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (500, 400, 302, 410):
        receiver.answer = says(status)
        alarms = lead()
        for passed_s in (FOR_S, REPEAT_S):
            go_on(store, passed_s)
            await alarms.look_once()
    lines = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "an alert was refused" in lines
    assert "an alert could not be delivered yet" in lines
    assert "s3cret-path" not in lines
    assert SECRET.removeprefix("whsec_") not in lines
    assert "s3cret-path" not in "".join((await store.office.notices.read()).values())
