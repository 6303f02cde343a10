"""A worker as LiveKit's own starter has it, to which the same is done as to ours.

It shares the LiveKit server and the models of a stage, and knows nothing of our store.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
from livekit import api

from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from devstack.talk.caller import Caller
from tests.chaos.fates import Heard
from tests.chaos.halls import Halls
from tests.chaos.parts import AnyWorker
from tests.chaos.stage import Stage
from tests.chaos.talkers import Talker
from tests.support.logs import add_log

#: Nobody waits longer for what never comes.
PATIENCE_S = 15.0
REGISTERED_WITHIN_S = 60.0
_READY_S = 120.0
_GREETED_WITHIN_S = 60.0


class PlainUser(Talker):
    """A user whose app asked LiveKit for a room with a plain agent."""

    def __init__(self, room: str, url: str, token: str) -> None:
        super().__init__()
        self.room, self._url, self._token = room, url, token
        #: When LiveKit was asked for the room.
        self.asked_at = time.monotonic()

    async def join(self) -> None:
        """Join the room. Raises CallerError."""
        await self.enter(Caller(self._url, self._token))

    async def arrive(self) -> None:
        """Join, be greeted, and begin to talk."""
        await self.join()
        await self.caller.wait_greeting(_GREETED_WITHIN_S)
        self.talk()

    async def _nobody(self) -> Heard:
        # There is nobody who could tell the user anything.
        return Heard(after_s=None, room_closed=self.caller.log.ended_because)


@dataclass
class PlainFleet:
    """Two plain workers of one name, and what is needed to call them."""

    stage: Stage
    livekit: api.LiveKitAPI
    halls: Halls
    workers: list[PlainWorker]
    people: AsyncExitStack

    @property
    def worker(self) -> PlainWorker:
        """The first one; in most stories the only one."""
        return self.workers[0]

    async def start(self, number: int = 1) -> None:
        """Start so many of them, and wait until LiveKit knows them."""
        started = self.workers[:number]
        await asyncio.gather(*(worker.start() for worker in started))
        await asyncio.gather(*(one.until_registered(REGISTERED_WITHIN_S) for one in started))

    def worker_of(self, user: PlainUser) -> PlainWorker:
        """Return the worker that has a user's call."""
        return next(one for one in self.workers if user.room in one.log.read_text())

    async def user(self) -> PlainUser:
        """Open a room with an agent on its way; return its user, who has not joined."""
        room = f"plain-{secrets.token_hex(4)}"
        dispatch = api.RoomAgentDispatch(agent_name=self.worker.agent_name)
        request = api.CreateRoomRequest(name=room, empty_timeout=60, agents=[dispatch])
        keys = self.stage.keys
        token = api.AccessToken(keys.livekit_api_key, keys.livekit_api_secret)
        token = token.with_identity("user")
        token = token.with_grants(api.VideoGrants(room_join=True, room=room))
        user = PlainUser(room, self.stage.livekit_url, token.to_jwt())
        await self.people.enter_async_context(user)
        await self.livekit.room.create_room(request)
        return user

    async def greeted(self) -> PlainUser:
        """Return a user who talks with an agent."""
        user = await self.user()
        await user.arrive()
        return user


class PlainWorker(AnyWorker):
    """A worker of LiveKit's framework."""

    def __init__(self, stage: Stage, module: str, agent_name: str) -> None:
        self.agent_name = agent_name
        super().__init__(_service(stage, module, agent_name), stage.loop)

    def jobs(self) -> list[int]:
        """Return its job processes, warm ones, too: it does not tell which of them has a call."""
        own = psutil.Process(self.pid).children(recursive=True)
        parents = {one.ppid() for one in own}
        return [one.pid for one in own if one.pid not in parents and one.ppid() != self.pid]


def _service(stage: Stage, module: str, agent_name: str) -> Service:
    url = f"http://{LOOPBACK}:{(port := free_port())}"
    models = dict.fromkeys(("STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL"), stage.provider.url)
    variables = {
        **stage.services.common(),
        **models,
        "LIVEKIT_URL": stage.livekit_url,
        "LIVEKIT_AGENT_NAME": agent_name,
        "OPENAI_API_KEY": "unset",
        "POOL_SIZE": "3",
        "WORKER_PORT": str(port),
    }
    command = Command(
        name=f"{agent_name}-{port}",
        argv=(sys.executable, "-m", module, "start"),
        env=variables,
        log=stage.services.folder / "logs" / f"{agent_name}-{port}.log",
        cwd=REPO,
    )
    return Service(command=command, url=url, ready=http_ok(f"{url}/"), ready_within_s=_READY_S)


@asynccontextmanager
async def plain_fleet(stage: Stage, module: str = "bench.plain_agent") -> AsyncIterator[PlainFleet]:
    """Yield plain workers that have not been started, and end them with all their calls."""
    name = f"plain-{secrets.token_hex(4)}"
    workers = [PlainWorker(stage, module, name) for _ in range(2)]
    for worker in workers:
        add_log("stage", worker.log)
    keys, url = stage.keys, stage.livekit_url.replace("ws", "http", 1)
    async with api.LiveKitAPI(url, keys.livekit_api_key, keys.livekit_api_secret) as livekit:
        halls, people = Halls(livekit), AsyncExitStack()
        try:
            yield PlainFleet(stage, livekit, halls, workers, people)
        finally:
            await people.aclose()
            await asyncio.gather(*(worker.end() for worker in workers))
            for room in await halls.names():
                await halls.close(room)
