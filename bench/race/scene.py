"""Where the race is held: one Redis, one LiveKit, one provider for all, and the workers."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
from livekit import api

from bench.neighbours import Neighbours, running_neighbours, running_nodes
from bench.race.hook import Hook, running_hook
from bench.race.processes import until_quiet
from bench.race.provider import running_provider
from bench.race.sides import POOL_SIZE, Side
from bench.race.words import TAKES_ALL
from bench.servers import running
from bench.workers import REGISTERED, WARM, until_logged
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from devstack.talk.caller import Caller
from sessions.assignment import Assignment
from sessions.ids import new_identity, new_session_id, room_name
from sessions.model import Newcomer
from tests.support.plain import NO_TLS

_READY_S = 120.0
#: A worker has as long to come to rest.
_SETTLED_S = 60.0
_WARM_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.02
_GONE_S = 20.0
_JOIN_S = 60.0
_CAPACITY = "200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A room that is still to be opened, and the user who will come."""

    request: api.CreateRoomRequest
    token: str

    @property
    def room(self) -> str:
        """The room's name."""
        return self.request.name


@dataclass(slots=True, kw_only=True)
class Racer:
    """A worker that runs."""

    side: Side
    scene: Scene
    agent_name: str
    pid: int
    log: Path
    #: How many agents it has sent so far.
    calls: int = 0

    async def until_warm(self, spare: int = POOL_SIZE) -> bool:
        """Wait until so many warm processes wait for a call; say whether it came to that.

        A plain worker wants fewer of them while the machine is busy, so it may not.
        """
        if not self.side.has_process_each:
            return True
        ends_at = time.monotonic() + _WARM_WITHIN_S
        while True:
            text = await asyncio.to_thread(self.log.read_text)
            if text.count(WARM) >= spare + self.calls:
                return True
            if time.monotonic() > ends_at:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)

    async def until_settled(self) -> float:
        """Wait until it is warm and does nothing; return its CPU seconds when that began.

        Raises TimeoutError where it always has something to do.
        """
        await self.until_warm()
        return await until_quiet(self.pid, _SETTLED_S)

    async def prepare(self) -> Visit:
        """Do what comes before a room is opened: none of it is measured."""
        scene, identity, note, room = self.scene, new_identity(), "", f"race-{secrets.token_hex(6)}"
        if self.side.is_ours:
            session_id = new_session_id()
            newcomer = Newcomer(id=session_id, user_id=None, identity=identity)
            await scene.neighbours.store.admit(newcomer)
            note = Assignment(session_id=session_id, identity=identity).to_metadata()
            room = room_name(session_id)
        dispatch = api.RoomAgentDispatch(agent_name=self.agent_name, metadata=note)
        variables = scene.neighbours.variables
        token = api.AccessToken(variables["LIVEKIT_API_KEY"], variables["LIVEKIT_API_SECRET"])
        grants = api.VideoGrants(room_join=True, room=room)
        return Visit(
            request=api.CreateRoomRequest(name=room, agents=[dispatch]),
            token=token.with_identity(identity).with_grants(grants).to_jwt(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is there to race in."""

    neighbours: Neighbours
    hook: Hook
    provider_url: str
    folder: Path

    async def open(self, visit: Visit) -> None:
        """Open a room, to which an agent is sent."""
        await self.neighbours.livekit.room.create_room(visit.request)

    async def close(self, visit: Visit) -> None:
        """Close a room, and wait until its agent is gone. Raises TimeoutError."""
        # It may be gone already, with its user.
        with suppress(api.TwirpError):
            await self.neighbours.livekit.room.delete_room(api.DeleteRoomRequest(room=visit.room))
        news, ends_at = self.hook.of(visit.room), time.monotonic() + _GONE_S

        def is_gone() -> bool:
            has_left = news.agent_left_at is not None or news.agent_active_at is None
            return has_left or news.finished_at is not None

        if not await self.hook.until(is_gone, ends_at):
            raise TimeoutError(f"an agent was still in its room after {_GONE_S:g} s")

    def caller(self, visit: Visit) -> Caller:
        """Return a user who can join the room."""
        url = self.neighbours.variables["LIVEKIT_URL"]
        return Caller(url, visit.token, join_within_s=_JOIN_S)

    async def provider_ms(self) -> list[float]:
        """Return how long the provider took for each answer since it was asked last."""
        url = self.provider_url.removesuffix("/v1")
        async with httpx2.AsyncClient(base_url=url, timeout=_GONE_S, verify=NO_TLS) as http:
            return [float(one) for one in (await http.get("/took")).json()]

    @asynccontextmanager
    async def racing(
        self,
        side: Side,
        *,
        is_warm: bool = True,
        takes_all: bool = False,
        agent_name: str | None = None,
    ) -> AsyncIterator[Racer]:
        """Run a worker until the block is left.

        It begins once LiveKit knows the worker: with `is_warm` once it is warm, too. With
        `takes_all` a plain worker takes calls however busy the machine is. Workers with the same
        `agent_name` share the calls; without one it has its own.
        """
        name = f"race-{side.name}-{secrets.token_hex(4)}"
        agent_name = agent_name or name
        log = self.folder / f"{name}.log"

        def describe() -> Sequence[Service]:
            port = free_port()
            url = f"http://{LOOPBACK}:{port}"
            path = side.ready_path if is_warm else side.alive_path
            own = {"WORKER_PORT": str(port)} | ({TAKES_ALL: "1"} if takes_all else {})
            command = Command(
                name="worker",
                argv=side.argv,
                env=self._variables(side, name, agent_name) | own,
                log=log,
                cwd=REPO,
            )
            ready = http_ok(url + path)
            return [Service(command=command, url=url, ready=ready, ready_within_s=_READY_S)]

        async with running(describe) as stack:
            await until_logged(log, REGISTERED, side.workers)
            pid = stack.pids["worker"]
            racer = Racer(side=side, scene=self, agent_name=agent_name, pid=pid, log=log)
            if is_warm:
                await until_logged(log, WARM, POOL_SIZE if side.has_process_each else 0)
            yield racer

    @asynccontextmanager
    async def racing_all(self, sides: Sequence[Side]) -> AsyncIterator[list[Racer]]:
        """Run a worker of each kind at once. They start one after the other."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.racing(side)) for side in sides]

    def _variables(self, side: Side, name: str, agent_name: str) -> dict[str, str]:
        urls = ("OPENAI_BASE_URL", "STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL")
        runtime = self.folder / name
        runtime.mkdir(exist_ok=True)
        return {
            **self.neighbours.variables,
            **dict.fromkeys(urls, self.provider_url),
            "OPENAI_API_KEY": "unset",
            "POOL_SIZE": str(POOL_SIZE),
            "WORKER_CAPACITY": _CAPACITY,
            "GREETING_CACHE_DIR": str(self.folder / "clips"),
            # Whatever a worker puts there is gone with the folder.
            "XDG_RUNTIME_DIR": str(runtime),
            **dict.fromkeys(("AGENT_NAME", "LIVEKIT_AGENT_NAME", "RACE_AGENT"), agent_name),
            **side.variables,
        }


@asynccontextmanager
async def racecourse(env: Mapping[str, str], folder: Path) -> AsyncIterator[Scene]:
    """Run everything but the workers until the block is left. Raises ToolMissing."""
    async with (
        running_hook() as hook,
        running_neighbours(env, folder, webhook_url=hook.url) as neighbours,
        running_provider(sys.executable, dict(env), folder) as provider_url,
    ):
        yield Scene(neighbours=neighbours, hook=hook, provider_url=provider_url, folder=folder)


@asynccontextmanager
async def racecourses(
    env: Mapping[str, str], folder: Path, *, nodes: int
) -> AsyncIterator[list[Scene]]:
    """Run the same with several livekit-servers that are one: a scene at each of them."""
    async with (
        running_hook() as hook,
        running_nodes(env, folder, count=nodes, webhook_url=hook.url) as found,
        running_provider(sys.executable, dict(env), folder) as url,
    ):
        yield [Scene(neighbours=one, hook=hook, provider_url=url, folder=folder) for one in found]


async def until_at(moment: float) -> None:
    """Wait until a moment of `time.monotonic`."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
