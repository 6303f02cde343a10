"""A worker of the benchmark's own, with all it needs, and short calls to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api
from pydantic import SecretStr

from bench.provider import ANSWER, running_provider
from bench.servers import find_program, running
from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports, random_ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import REPO
from devstack.talk.caller import Caller
from sessions.assignment import Assignment
from sessions.connection import Temper, connect
from sessions.ids import new_identity, new_session_id, room_name
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import OVER
from sessions.store import SessionStore

_STEP_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUnderTest:
    """A running worker, and the way to it."""

    pid: int
    store: SessionStore
    livekit: api.LiveKitAPI
    livekit_url: str
    keys: Keys

    async def call(self) -> None:
        """Hold one short call: come, be greeted, ask, be answered, leave, and see it end."""
        session_id, identity = new_session_id(), new_identity()
        room = room_name(session_id)
        await self.store.admit(Newcomer(id=session_id, user_id=None, identity=identity))
        note = Assignment(session_id=session_id, user_id=None, identity=identity).to_metadata()
        dispatch = api.RoomAgentDispatch(agent_name="voicefleet", metadata=note)
        await self.livekit.room.create_room(api.CreateRoomRequest(name=room, agents=[dispatch]))
        token = api.AccessToken(self.keys.livekit_api_key, self.keys.livekit_api_secret)
        grants = api.VideoGrants(room_join=True, room=room)
        text = token.with_identity(identity).with_grants(grants).to_jwt()
        async with Caller(self.livekit_url, text, join_within_s=_STEP_WITHIN_S) as caller:
            await caller.wait_agent(_STEP_WITHIN_S)
            await caller.type("Hello?")

            async def is_answered() -> bool:
                return any(ANSWER in line.text for line in caller.lines)

            await until(is_answered)

        async def is_over() -> bool:
            return (await self.store.get(session_id)).status in OVER

        await until(is_over)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something. Raises TimeoutError."""
    async with asyncio.timeout(_STEP_WITHIN_S):
        while not await condition():  # noqa: ASYNC110 - other processes tell of no event
            await asyncio.sleep(_LOOK_EVERY_S)


@asynccontextmanager
async def running_worker(
    env: Mapping[str, str], folder: Path, *, pool_size: int
) -> AsyncIterator[WorkerUnderTest]:
    """Run Redis, LiveKit, a provider and a worker. Raises ToolMissing."""
    redis, livekit = find_program(REDIS, env), find_program(LIVEKIT, env)
    keys, chosen = Keys.generate(), [random_ports()]
    async with running_provider() as provider_url:
        told = {**env, "OPENAI_BASE_URL": provider_url, "POOL_SIZE": str(pool_size)}

        def describe() -> Sequence[Service]:
            chosen[0] = ports = random_ports()
            # Nobody is there: the agents tell the store themselves.
            hook = f"http://{LOOPBACK}:{ports.tokenserver}/"
            return [
                redis_service(redis, port=ports.redis, run_dir=folder, env=env, is_durable=False),
                livekit_service(
                    livekit, ports=ports, keys=keys, run_dir=folder, env=env, webhook_url=hook
                ),
                _worker(ports, keys, folder=folder, env=told),
            ]

        async with running(describe) as stack, _reaching(chosen[0], keys) as (store, livekit_api):
            yield WorkerUnderTest(
                pid=stack.pids["worker"],
                store=store,
                livekit=livekit_api,
                livekit_url=f"ws://{LOOPBACK}:{chosen[0].livekit}",
                keys=keys,
            )


@asynccontextmanager
async def _reaching(ports: Ports, keys: Keys) -> AsyncIterator[tuple[SessionStore, api.LiveKitAPI]]:
    url = f"ws://{LOOPBACK}:{ports.livekit}"
    settings = StoreSettings(redis_url=SecretStr(f"redis://{LOOPBACK}:{ports.redis}/0"))
    client = connect(settings, Temper.PATIENT)
    async with api.LiveKitAPI(url, keys.livekit_api_key, keys.livekit_api_secret) as livekit:
        yield SessionStore(client, settings), livekit
    await client.aclose()


def _worker(ports: Ports, keys: Keys, *, env: Mapping[str, str], folder: Path) -> Service:
    url = f"http://{LOOPBACK}:{ports.worker}"
    variables = {
        "GREETING_CACHE_DIR": str(folder / "greetings"),
        "LIVEKIT_API_KEY": keys.livekit_api_key,
        "LIVEKIT_API_SECRET": keys.livekit_api_secret,
        "LIVEKIT_URL": f"ws://{LOOPBACK}:{ports.livekit}",
        "REDIS_URL": f"redis://{LOOPBACK}:{ports.redis}/0",
        "WORKER_PORT": str(ports.worker),
    }
    command = Command(
        name="worker",
        argv=(sys.executable, "-m", "worker"),
        env={**env, **variables},
        log=folder / "worker.log",
        cwd=REPO,
    )
    return Service(command=command, url=url, ready=http_ok(f"{url}/readyz"), ready_within_s=120)
