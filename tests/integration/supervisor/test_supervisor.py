"""Of several supervisors one works; when it stops or dies another one goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rooms.client import Rooms
from rooms.settings import RoomSettings
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.settings import SupervisorSettings
from supervisor.supervisor import Supervisor
from telemetry.meter import Meter
from telemetry.metrics import SUPERVISOR
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import Media, line_up, running_loops
from tests.support.wait import eventually


@pytest.fixture
def supervision(settings: StoreSettings, room_settings: RoomSettings) -> SupervisorSettings:
    known = {**settings.model_dump(), **room_settings.model_dump(), "leader_lease_s": 1.0}
    return SupervisorSettings.model_validate(known)


class Candidate:
    """A supervisor in this process, and what it counts."""

    def __init__(self, settings: SupervisorSettings, store: SessionStore, rooms: Rooms) -> None:
        self.meter = Meter(SUPERVISOR)
        feed = ChangeFeed(store)
        self._supervisor = Supervisor(settings, store, rooms, feed, self.meter)
        self._feed = feed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running_loops(self._feed.run(), self._supervisor.run()):
            yield

    @property
    def leads(self) -> bool:
        return self.count("voicefleet_supervisor_leads") == 1

    def count(self, name: str, **labels: str) -> float:
        return self.meter.registry.get_sample_value(name, labels) or 0.0


async def test_one_of_two_works_and_the_other_one_takes_over(
    supervision: SupervisorSettings, store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. Two supervisors run. 2. The one that leads stops in good order.

    Result: only the leader looks, and tells of it; what comes afterwards is done by the other.
    """
    first, second = (Candidate(supervision, store, rooms) for _ in range(2))

    async def leads(one: Candidate) -> bool:
        return one.leads

    async with second.running():
        async with first.running():

            async def is_one() -> bool:
                return first.leads != second.leads

            await eventually(is_one)
            leader, other = (first, second) if first.leads else (second, first)
            holder, waiting = await line_up(store, 1)
            await store.end(holder.id)
            await eventually(lambda: media.is_sent(waiting.room))
            passes = "voicefleet_supervisor_pass_duration_seconds_count"
            assert leader.count(passes, loop="leases") > 0
            assert other.count(passes, loop="leases") == 0
            assert other.count(passes, loop="leadership") > 0
            assert leader.count("voicefleet_supervisor_repairs_total", loop="dispatches") == 1
            assert b"voicefleet_supervisor_pass_failures_total" in leader.meter.text()
        await eventually(lambda: leads(second))
        assert not first.leads
        session = newcomer(user=None)
        await store.end(waiting.id)
        await store.admit(session, may_wait=True)
        await store.claim(session.id, 1, agent())
        await store.lose(session.id, "it died", epoch=1, is_certain=True)
        await eventually(lambda: media.is_sent(session.room))


async def test_who_is_deposed_takes_back_what_it_said_of_stranded_sessions(
    supervision: SupervisorSettings, store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A session waits, and no worker is there; the leader tells. 2. Another one leads.

    Result: the first one, which goes on standing for the office, tells of none any more.
    """
    del media
    one = Candidate(supervision, store, rooms)
    stranded = "voicefleet_supervisor_stranded_sessions"

    async def tells() -> bool:
        return one.leads and one.count(stranded) == 1

    async def tells_nothing() -> bool:
        return not one.leads and one.count(stranded) == 0

    await store.admit(newcomer(user=None))
    async with one.running():
        await eventually(tells)
        while (ballot := await store.office.stand("another", lease_s=60)).leader != "another":
            await store.office.leave(ballot.leader)
        await eventually(tells_nothing)
