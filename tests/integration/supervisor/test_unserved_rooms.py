"""Who joined with a standard token and got no agent is not forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from livekit import rtc

from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from rooms.tokens import Participant, mint_token
from sessions.assignment import Assignment
from sessions.ids import new_identity, new_session_id
from sessions.model import Newcomer
from sessions.store import SessionStore
from supervisor.unserved_rooms import UnservedRooms
from tests.integration.rooms.test_rooms import participant
from tests.integration.supervisor.conftest import MakeStore, Media, come
from tests.support.clock import Clock
from tests.support.servers import LiveKitServer

PATIENCE_S = 4.0
START_LEASE_S = 30.0


pytestmark = pytest.mark.usefixtures("media")  # closes all rooms at the end


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker came a good while after the room was opened: as if a minute had passed."""
    monkeypatch.setattr("supervisor.unserved_rooms.MARGIN_MS", -60_000)


@dataclass(frozen=True)
class Visits:
    """Lets users come with tokens of our standard token endpoint."""

    server: LiveKitServer
    settings: RoomSettings

    @asynccontextmanager
    async def visiting(self) -> AsyncIterator[Visit]:
        identity = new_identity()
        assignment = Assignment(
            session_id=new_session_id(),
            identity=identity,
            secret_hash="0" * 64,
            admit_on_start=True,
        )
        token = mint_token(
            self.settings,
            Participant(room=assignment.room, identity=identity),
            ttl_s=60,
            agent_metadata=assignment.to_metadata(),
        )
        user = rtc.Room()
        await user.connect(self.server.url, token)
        try:
            yield Visit(assignment, user)
        finally:
            await user.disconnect()


@pytest.fixture
def visits(livekit_server: LiveKitServer, room_settings: RoomSettings) -> Visits:
    return Visits(livekit_server, room_settings)


@pytest.fixture
async def visit(visits: Visits) -> AsyncIterator[Visit]:
    async with visits.visiting() as one:
        yield one


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(max_sessions=10)


@pytest.fixture
def unserved(store: SessionStore, rooms: Rooms, clock: Clock) -> UnservedRooms:
    return UnservedRooms(store, rooms, clock=clock)


@dataclass(frozen=True)
class Visit:
    """A user in a room that a standard token has opened."""

    assignment: Assignment
    user: rtc.Room

    @property
    def room(self) -> str:
        return self.assignment.room


async def test_an_agent_is_sent_once_more(
    store: SessionStore, media: Media, visit: Visit, unserved: UnservedRooms, clock: Clock
) -> None:
    """1. A user joins. 2. LiveKit gives the job to nobody, though there is a worker.

    Result: after LiveKit's own deadline, not before, the same is sent again; and so on.
    """
    await come(store)
    assert await unserved.serve_once() == 0
    for number in (2, 3):
        clock.now += PATIENCE_S - 0.1
        assert await unserved.serve_once() == 0
        clock.now += 0.1
        assert await unserved.serve_once() == 1
        told = await media.assignments(visit.room)
        assert told == [visit.assignment] * number


@pytest.mark.usefixtures("no_margin")
async def test_without_a_worker_nobody_is_sent_and_with_the_first_one_at_once(
    store: SessionStore, media: Media, visit: Visit, unserved: UnservedRooms, clock: Clock
) -> None:
    """The job was lost before the worker came, which is seen by when the room was opened."""
    assert await unserved.serve_once() == 0
    clock.now += 20
    assert await unserved.serve_once() == 0
    await come(store)
    assert await unserved.serve_once() == 1
    assert await media.assignments(visit.room) == [visit.assignment] * 2


async def test_who_waits_for_too_long_is_told_the_end(
    visit: Visit, unserved: UnservedRooms, media: Media, clock: Clock
) -> None:
    """No worker ever comes. Result: the room is closed, as a session would fail by then."""
    assert await unserved.serve_once() == 0
    clock.now += START_LEASE_S
    assert await unserved.serve_once() == 0
    clock.now += 0.1
    assert await unserved.serve_once() == 1
    assert not await media.has(visit.room)


async def test_rooms_of_another_fleet_are_left_alone(
    store: SessionStore, rooms: Rooms, visits: Visits, media: Media, clock: Clock
) -> None:
    """1. A user joins a room of the fleet next door, on the same LiveKit. 2. No agent comes to it.

    Result: ours neither sends an agent nor closes the room, however late it is; theirs does.
    """
    await come(store)
    ours = UnservedRooms(store, rooms, clock=clock)
    settings = visits.settings.model_copy(update={"agent_name": "next-door"})
    next_door = Visits(visits.server, settings)
    async with open_rooms(settings) as their_rooms, next_door.visiting() as visit:
        theirs = UnservedRooms(store, their_rooms, clock=clock)
        for seconds in (0, PATIENCE_S, START_LEASE_S):
            clock.now += seconds
            assert await ours.serve_once() == 0
        assert await media.assignments(visit.room) == [visit.assignment]
        assert await theirs.serve_once() == 0
        clock.now += PATIENCE_S
        assert await theirs.serve_once() == 1
        assert await media.assignments(visit.room) == [visit.assignment] * 2
        clock.now += START_LEASE_S
        assert await ours.serve_once() == 0
        assert await theirs.serve_once() == 1
        assert not await media.has(visit.room)


async def test_who_came_first_is_served_first(
    store: SessionStore,
    rooms: Rooms,
    visits: Visits,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[str] = []
    send = Rooms.send_agent

    async def note(self: Rooms, room: str, agent_metadata: str) -> None:
        served.append(room)
        await send(self, room, agent_metadata)

    monkeypatch.setattr(Rooms, "send_agent", note)
    monkeypatch.setattr("supervisor.unserved_rooms._AT_ONCE", 1)
    await come(store)
    unserved = UnservedRooms(store, rooms, clock=clock)
    async with (
        visits.visiting() as first,
        visits.visiting() as second,
        visits.visiting() as third,
    ):
        await unserved.serve_once()
        clock.now += PATIENCE_S
        assert await unserved.serve_once() == 3
        assert served == [first.room, second.room, third.room]


async def test_who_is_served_is_left_alone(
    store: SessionStore, rooms: Rooms, media: Media, visits: Visits, clock: Clock
) -> None:
    """1. An agent is in the room, and cannot reach the store. 2. It is gone; the session is known
    by now. Rooms that are not ours, and ours without anything to tell an agent, are left alone."""
    unserved = UnservedRooms(store, rooms, clock=clock)
    async with visits.visiting() as visit:
        await come(store)
        await media.make("a-room-of-theirs")
        await rooms.open(f"{visit.room[:-4]}0000", "{}")
        async with participant(visits.server, visit.room, "agent-AJ_1", "agent"):
            await unserved.serve_once()
            clock.now += PATIENCE_S
            assert await unserved.serve_once() == 0
        told = visit.assignment
        await store.admit(
            Newcomer(id=told.session_id, user_id=None, identity=told.identity, secret_hash="")
        )
        clock.now += PATIENCE_S
        assert await unserved.serve_once() == 0
        assert len(await media.assignments(visit.room)) == 1
