"""A fleet that agents are lost of, for bench/recovery.py: two workers of ours, and a plain one."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
from livekit import api

from bench.api_client import reaching
from bench.api_server import running_api
from bench.workers import OURS, until_warm, working
from sessions.ids import SessionId
from sessions.store import SessionStore
from tests.support.provider import provider

_CLAIMED_WITHIN_S = 20.0
#: So many sessions are started, at most, for each that is to share a process with others.
_TRIES = 6
_LOOK_EVERY_S = 0.02
_HTTP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A room with an agent on its way, and a token for it."""

    room: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is there to call, and a way to look at it."""

    variables: Mapping[str, str]
    http: httpx2.AsyncClient
    livekit: api.LiveKitAPI
    store: SessionStore
    plain_name: str
    #: How many calls are to be lost together.
    sharing: int

    async def calls(self, opened: list[str]) -> tuple[list[Call], list[int]]:
        """Start sessions until enough agents live in one process; return those calls, and it.

        The rooms of all are added to `opened`. Raises TimeoutError.
        """
        homes = defaultdict[tuple[str | None, int | None], list[Call]](list)
        for _ in range(_TRIES * self.sharing):
            call, session_id = await self._start()
            opened.append(call.room)
            worker_id, pid = await self._home(session_id)
            homes[worker_id, pid].append(call)
            if len(homes[worker_id, pid]) == self.sharing and pid is not None:
                return homes[worker_id, pid], [pid]
        raise TimeoutError(f"no process has {self.sharing} calls")

    async def _start(self) -> tuple[Call, SessionId]:
        answer = await self.http.post("/api/session/start", json={})
        answer.raise_for_status()
        started = answer.json()
        call = Call(room=started["roomName"], token=started["participantToken"])
        return call, SessionId(started["sessionId"])

    async def _home(self, session_id: SessionId) -> tuple[str | None, int | None]:
        """Wait until an agent has a session; return its worker and process."""
        ends_at = time.monotonic() + _CLAIMED_WITHIN_S
        while (session := await self.store.get(session_id)).agent_pid is None:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"no agent has a session after {_CLAIMED_WITHIN_S:g} s")
            await asyncio.sleep(_LOOK_EVERY_S)
        return session.worker_id, session.agent_pid

    async def start_plain(self) -> Call:
        """Open a room with a plain agent on its way."""
        room = f"plain-{secrets.token_hex(4)}"
        dispatch = api.RoomAgentDispatch(agent_name=self.plain_name)
        await self.livekit.room.create_room(api.CreateRoomRequest(name=room, agents=[dispatch]))
        variables = self.variables
        token = api.AccessToken(variables["LIVEKIT_API_KEY"], variables["LIVEKIT_API_SECRET"])
        grants = api.VideoGrants(room_join=True, room=room)
        jwt = token.with_identity("user").with_grants(grants).to_jwt()
        return Call(room=room, token=jwt)

    async def agents(self, room: str) -> int:
        """Return how many agents are in a room."""
        request = api.ListParticipantsRequest(room=room)
        found = (await self.livekit.room.list_participants(request)).participants
        return sum(one.kind == api.ParticipantInfo.Kind.AGENT for one in found)

    async def close(self, room: str) -> None:
        """Close a room."""
        with suppress(api.TwirpError):  # it may be gone already
            await self.livekit.room.delete_room(api.DeleteRoomRequest(room=room))


@asynccontextmanager
async def running_fleet(
    env: Mapping[str, str], folder: Path, *, isolation: str, sharing: int
) -> AsyncIterator[Scene]:
    """Run all of it, ours with this ISOLATION, until the block is left. Raises ToolMissing."""
    name, plain_name = (f"recovery-{secrets.token_hex(4)}" for _ in range(2))
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(provider())
        told = {**env, "AGENT_NAME": name}
        servers = await stack.enter_async_context(running_api(told, folder))
        variables = {**servers.services[-1].command.env, "OPENAI_BASE_URL": one.url}
        variables |= dict.fromkeys(("STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL"), one.url)
        variables |= {"OPENAI_API_KEY": "unset", "POOL_SIZE": "2", "ISOLATION": isolation}
        variables["GREETING_CACHE_DIR"] = str(folder / "clips")
        for number, (module, agent) in enumerate(
            [(OURS, name), (OURS, name), (("bench.plain_agent", "start"), plain_name)]
        ):
            log = folder / f"worker-{number}.log"
            worker = working(module, variables, agent_name=agent, log=log)
            await until_warm(module, await stack.enter_async_context(worker), log, 2)
        reach = await stack.enter_async_context(reaching(variables, timeout_s=_HTTP_TIMEOUT_S))
        livekit = api.LiveKitAPI(
            variables["LIVEKIT_URL"].replace("ws", "http", 1),
            variables["LIVEKIT_API_KEY"],
            variables["LIVEKIT_API_SECRET"],
        )
        stack.push_async_callback(livekit.aclose)
        yield Scene(
            variables=variables,
            http=reach.http,
            livekit=livekit,
            store=reach.store,
            plain_name=plain_name,
            sharing=sharing,
        )
