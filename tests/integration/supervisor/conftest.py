"""A store, rooms on a real LiveKit server, and loops that run beside a test."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from livekit import api
from pydantic import SecretStr

from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.assignment import Assignment
from sessions.batch import Client
from sessions.fleet import Registration
from sessions.ids import WorkerId
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from supervisor.supervisor import Loop
from telemetry.meter import Meter
from telemetry.metrics import SUPERVISOR
from tests.integration.sessions.conftest import agent, newcomer
from tests.support.receiver import Receiver, receiving
from tests.support.servers import LiveKitServer, RedisServer

MakeStore = Callable[..., SessionStore]


@pytest.fixture
def settings(redis_server: RedisServer) -> StoreSettings:
    return StoreSettings(
        redis_url=SecretStr(redis_server.url),
        redis_prefix=f"test-{secrets.token_hex(6)}",
        max_sessions=1,
        # Longer than any test lets pass.
        worker_lease_s=600,
    )


@pytest.fixture
def make_store(redis: Client, settings: StoreSettings) -> MakeStore:
    """Builds further stores on the same keys, with other limits or another clock."""

    def make(*, now_ms: int | None = None, **changes: object) -> SessionStore:
        return SessionStore(redis, settings.model_copy(update=changes), now_ms=now_ms)

    return make


@pytest.fixture
def room_settings(livekit_server: LiveKitServer) -> RoomSettings:
    return RoomSettings(
        livekit_url=livekit_server.url,
        livekit_api_key=livekit_server.api_key,
        livekit_api_secret=SecretStr(livekit_server.api_secret),
        # Nobody registers under it: agents are sent for, and none comes.
        agent_name=f"agent-{secrets.token_hex(4)}",
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def meter() -> Meter:
    return Meter(SUPERVISOR)


@pytest.fixture
async def rooms(room_settings: RoomSettings) -> AsyncIterator[Rooms]:
    async with open_rooms(room_settings) as client:
        yield client


@dataclass(frozen=True)
class Media:
    """LiveKit as it sees itself."""

    livekit: api.LiveKitAPI
    agent_name: str

    async def epochs_sent(self, room: str) -> list[int]:
        """Return the epochs of the agents that were sent for, the lowest first."""
        if not await self.has(room):
            return []
        sent = await self.livekit.agent_dispatch.list_dispatch(room)
        notes = [one.metadata for one in sent if one.agent_name == self.agent_name]
        return sorted(int(json.loads(note)["epoch"]) for note in notes)

    async def is_sent(self, room: str) -> bool:
        """Say whether one agent was sent for."""
        return len(await self.epochs_sent(room)) == 1

    async def assignments(self, room: str) -> list[Assignment | None]:
        """Return what the agents were told that were sent for."""
        sent = await self.livekit.agent_dispatch.list_dispatch(room)
        return [Assignment.from_metadata(one.metadata) for one in sent]

    async def has(self, room: str) -> bool:
        return await self._look(room) is not None

    async def metadata(self, room: str) -> dict[str, Any] | None:
        """Return what a room says of our session, None while it says nothing."""
        found = await self._look(room)
        if found is None or not found.metadata:
            return None
        told: dict[str, Any] = json.loads(found.metadata)["voicefleet"]
        return told

    async def make(self, room: str) -> None:
        """Make a room, as the join of its user does."""
        await self.livekit.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=120))

    async def close(self, room: str) -> None:
        await self.livekit.room.delete_room(api.DeleteRoomRequest(room=room))

    async def _look(self, room: str) -> api.Room | None:
        found = await self.livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))
        return found.rooms[0] if found.rooms else None


@pytest.fixture
async def media(livekit_server: LiveKitServer, room_settings: RoomSettings) -> AsyncIterator[Media]:
    server = livekit_server
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit:
        yield Media(livekit, room_settings.agent_name)
        left = await livekit.room.list_rooms(api.ListRoomsRequest())
        for room in left.rooms:
            await livekit.room.delete_room(api.DeleteRoomRequest(room=room.name))


@asynccontextmanager
async def running_loops(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run loops beside a test, and end them with it."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=10)
        assert not left, "a loop goes on though it was cancelled"


def dispatching(
    store: SessionStore, rooms: Rooms, feed: ChangeFeed, interval_s: float = 0.5
) -> Coroutine[None, None, None]:
    """Send agents to sessions that need one, as a supervisor that leads."""
    one_pass = Dispatcher(store, rooms).dispatch_due_once
    wakes = (State.STARTING, State.RECOVERING)
    return Loop(name="dispatches", interval_s=interval_s, one_pass=one_pass, wakes=wakes).run(feed)


async def come(store: SessionStore, livekit_id: str | None = "AW_1") -> None:
    """Be a worker, which LiveKit knows already, or not yet."""
    worker = Registration(
        id=WorkerId("worker-1"), capacity=10, host="here", version="1", livekit_id=livekit_id
    )
    await store.fleet.register(worker)


async def line_up(store: SessionStore, number: int) -> list[Newcomer]:
    """Fill the slots of a store of one, then the first places in line; return all in order."""
    all_of_them = [newcomer(user=None) for _ in range(1 + number)]
    for one in all_of_them:
        await store.admit(one, may_wait=True)
    await store.claim(all_of_them[0].id, 1, agent())
    return all_of_them
