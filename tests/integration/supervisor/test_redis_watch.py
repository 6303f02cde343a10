"""Redis is away: whoever led tells of it, and that it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from supervisor.redis_watch import RedisWatch
from telemetry.meter import Meter
from tests.support.gate import Gate, gate_before
from tests.support.notices import notice_settings, told
from tests.support.odd_server import says
from tests.support.receiver import Receiver
from tests.support.servers import RedisServer

SINCE_S = 1_764_000_000.0
FOR_S, CLEAR_S = 30.0, 120.0


@pytest.fixture
async def gate(redis_server: RedisServer) -> AsyncIterator[Gate]:
    async with gate_before(redis_server.port) as one:
        yield one


@pytest.fixture
async def store(gate: Gate, settings: StoreSettings) -> AsyncIterator[SessionStore]:
    url = SecretStr(f"redis://127.0.0.1:{gate.port}/0")
    changed = settings.model_copy(update={"redis_url": url})
    async with aclosing(connect(changed, Temper.HASTY)) as redis:
        yield SessionStore(redis, changed)


class Watching:
    """One who watches, at times that a test sets."""

    def __init__(
        self, store: SessionStore, receiver: Receiver, meter: Meter, *, leads: bool
    ) -> None:
        self.leads, self.now_s = leads, SINCE_S
        settings = notice_settings(receiver)
        courier = settings.alert_courier()
        assert courier is not None
        self._watch = RedisWatch(
            store, courier, settings, meter, leads=lambda: self.leads, clock=lambda: self.now_s
        )

    async def look(self, *after_s: float) -> None:
        for passed_s in after_s:
            self.now_s += passed_s
            await self._watch.look_once()


def types(receiver: Receiver) -> list[str]:
    return [one["type"] for one in told(receiver)]


async def test_who_led_tells_that_it_is_away_and_back(
    store: SessionStore, gate: Gate, receiver: Receiver, meter: Meter
) -> None:
    """It leads no longer meanwhile, as nobody does."""
    one = Watching(store, receiver, meter, leads=True)
    await one.look(0)
    await gate.shut()
    one.leads = False
    await one.look(0, FOR_S - 1)
    assert receiver.posts == []
    await one.look(1, 10, 10)
    assert types(receiver) == ["alert.firing"]
    assert told(receiver)[0]["data"]["code"] == "redis_away"
    await gate.open()
    await one.look(10, CLEAR_S - 30)
    assert types(receiver) == ["alert.firing"]
    await one.look(30)
    assert types(receiver) == ["alert.firing", "alert.resolved"]


async def test_who_did_not_lead_says_nothing(
    store: SessionStore, gate: Gate, receiver: Receiver, meter: Meter
) -> None:
    one = Watching(store, receiver, meter, leads=False)
    await one.look(0)
    await gate.shut()
    await one.look(FOR_S, FOR_S)
    assert receiver.posts == []


async def test_a_moment_is_told_to_nobody(
    store: SessionStore, gate: Gate, receiver: Receiver, meter: Meter
) -> None:
    one = Watching(store, receiver, meter, leads=True)
    await one.look(0)
    for _ in range(3):
        await gate.shut()
        await one.look(FOR_S - 1)
        await gate.open()
        await one.look(10)
    assert receiver.posts == []


async def test_it_is_told_when_the_receiver_is_back(
    store: SessionStore, gate: Gate, receiver: Receiver, meter: Meter
) -> None:
    receiver.answer = says(503)
    one = Watching(store, receiver, meter, leads=True)
    await one.look(0)
    await gate.shut()
    await one.look(0, FOR_S)
    receiver.answer = says(200)
    await one.look(10)
    assert types(receiver) == ["alert.firing", "alert.firing"]
    assert len({post.headers["webhook-id"] for post in receiver.posts}) == 1
