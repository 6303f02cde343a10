"""What a story has at hand: the stage, the users, and ways to look at what is really there."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from livekit import api

from rooms.client import Rooms, open_rooms
from sessions.connection import Temper, connect
from sessions.model import Session
from sessions.states import LIVE, State
from sessions.store import SessionStore
from tests.chaos.front import Front
from tests.chaos.parts import WorkerPart
from tests.chaos.stage import Stage
from tests.chaos.users import User, Visitor
from tests.support.plain import NO_TLS
from tests.support.wait import eventually

_CLEAN_WITHIN_S = 30.0
_PAGE = 200


@dataclass
class Story:
    """One story on a stage. All it looks at is asked past the proxies."""

    stage: Stage
    front: Front
    store: SessionStore
    livekit: api.LiveKitAPI
    rooms: Rooms
    cleanup: AsyncExitStack
    visitors: list[Visitor] = field(default_factory=list)

    async def users(self, number: int) -> list[User]:
        """Have users talk with agents: all of them were greeted."""
        users = [await self.cleanup.enter_async_context(User(self.front)) for _ in range(number)]
        self.visitors += users
        await asyncio.gather(*(user.arrive() for user in users))
        await asyncio.gather(*(self.until(user, State.ACTIVE) for user in users))
        return users

    async def session(self, visitor: Visitor) -> Session:
        """Return a session as the store has it."""
        return await self.store.get(visitor.id)

    async def until(self, visitor: Visitor, *states: State, deadline_s: float = 30.0) -> Session:
        """Wait until a session is in one of these states."""

        async def reached() -> Session | None:
            session = await self.session(visitor)
            return session if session.status in states else None

        session = await eventually(reached, deadline_s, message=f"state {states}")
        assert session is not None
        return session

    async def worker_of(self, visitor: Visitor) -> WorkerPart:
        """Return the worker that holds a call."""
        return self.stage.worker_of((await self.session(visitor)).worker_id)

    async def signal_agent(self, visitor: Visitor, number: signal.Signals) -> int:
        """Send a signal to the process of the agent that has a session; return its pid."""
        pid = (await self.session(visitor)).agent_pid
        assert pid is not None
        os.kill(pid, number)
        return pid

    async def agents(self, visitor: Visitor) -> list[str]:
        """Return the agents in a room, as LiveKit sees it."""
        return await self.rooms.agents((await self.session(visitor)).room)

    async def clear(self) -> None:
        """End all that a story has left, and wait until nothing of it is there."""
        await self._end_sessions()
        await eventually(self._is_clean, _CLEAN_WITHIN_S, message="nothing is left of the story")

    async def _end_sessions(self) -> None:
        for state in LIVE:
            page = await self.store.views.by_state(state, limit=_PAGE)
            await asyncio.gather(*(self.store.end(one.id) for one in page.sessions))

    async def _is_clean(self) -> bool:
        counts = await self.store.views.counts()
        assert not any(counts[state] for state in {*LIVE, State.ENDING}), counts
        engine = self.store._engine
        assert await engine.redis.zcard(engine.keys.slots) == 0, "slots are taken"
        assert not await self.rooms.names(), "rooms are open"
        fleet = {worker.id: worker for worker in await self.store.fleet.workers()}
        assert set(fleet) >= {worker.id for worker in self.stage.workers}, "workers are missing"
        for worker in self.stage.workers:
            one = fleet[worker.id]
            assert one.takes_since_ms is not None, f"{worker.name} is not known to LiveKit"
            assert one.active == 0, f"{worker.name} has jobs"
            assert one.idle >= 1, f"{worker.name} has no warm process"
        return True


@asynccontextmanager
async def told_on(stage: Stage) -> AsyncIterator[Story]:
    """Tell a story: the stage is whole before, and afterwards again, with nothing left on it."""
    settings, rooms = stage.store_settings(), stage.room_settings()
    async with AsyncExitStack() as cleanup:
        http = httpx2.AsyncClient(
            verify=NO_TLS, limits=httpx2.Limits(max_connections=200, max_keepalive_connections=0)
        )
        await cleanup.enter_async_context(http)
        redis = connect(settings, Temper.PATIENT)
        cleanup.push_async_callback(redis.aclose)
        key, secret = stage.keys.livekit_api_key, stage.keys.livekit_api_secret
        story = Story(
            stage=stage,
            front=Front(stage, http),
            store=SessionStore(redis, settings),
            livekit=await cleanup.enter_async_context(
                api.LiveKitAPI(rooms.livekit_url.replace("ws", "http", 1), key, secret)
            ),
            rooms=await cleanup.enter_async_context(open_rooms(rooms)),
            cleanup=cleanup,
        )
        try:
            await stage.restore()
            await story.clear()
            yield story
        finally:
            await stage.restore()
            await story.clear()
