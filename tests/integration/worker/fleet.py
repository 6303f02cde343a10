"""Workers as processes, and sessions for them, as the token server would make them."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil  # type: ignore[import-untyped]
from livekit import api
from pydantic import SecretStr

from devstack.services.ports import LOOPBACK, free_port
from devstack.settings import REPO
from devstack.talk.caller import Caller
from rooms.settings import RoomSettings
from sessions.assignment import Assignment
from sessions.ids import SessionId, UserId, new_identity, new_session_id, room_name
from sessions.model import Newcomer, Session
from sessions.records import Part
from sessions.states import State
from sessions.store import SessionStore
from tests.support.logs import add_log
from tests.support.plain import NO_TLS
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

READY_S = 120.0
EXIT_S = 60.0
CALL_S = 45.0
USER = UserId("ada")


@dataclass
class Worker:
    """A running worker, and what it says."""

    url: str
    log: Path
    agent_name: str

    async def ask(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self.url, timeout=5, verify=NO_TLS) as http:
            return await http.get(path)

    async def until_idle(self) -> None:
        """Wait until a warm process waits for a call."""

        async def is_idle() -> bool:
            return bool((await self.ask("/worker")).json()["idle"] >= 1)

        await eventually(is_idle, READY_S)

    async def has_logged(self, text: str) -> bool:
        return text in self.log.read_text()

    def records_of(self, call: Call) -> list[str]:
        """Return the lines of the log that are about a call."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if call.room in line or call.session_id in line]


@dataclass
class WorkerProcess(Worker):
    """`python -m worker`, started by a test that may do with it what it likes."""

    process: asyncio.subprocess.Process

    async def answers(self, path: str, status: int) -> bool:
        """Say whether it gives this answer; no answer is none."""
        assert self.process.returncode is None, self.log.read_text()
        try:
            return (await self.ask(path)).status_code == status
        except httpx2.TransportError:
            return False

    def descendants(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    async def exit_status(self) -> int:
        return await asyncio.wait_for(self.process.wait(), EXIT_S)

    async def stop(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.process.returncode is not None:
            return
        for child in self.descendants():
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.kill()
        await self.process.wait()


@dataclass
class Call:
    """A session, the room it happens in, and a way into it."""

    session_id: SessionId
    room: str
    identity: str
    token: str
    url: str
    store: SessionStore
    livekit: api.LiveKitAPI
    #: Whom the user wants to talk with.
    persona: str | None = None

    async def look(self) -> Session:
        return await self.store.get(self.session_id)

    async def until(self, *states: State) -> Session:
        async def reached() -> Session | None:
            session = await self.look()
            return session if session.status in states else None

        session = await eventually(reached, CALL_S, message=f"state {states}")
        assert session is not None
        return session

    async def part(self) -> Part | None:
        """Return what the first agent has put on record."""
        parts = await self.store.records.of(self.session_id)
        return parts[0] if parts else None

    async def final_part(self) -> Part:
        """Return it once it tells how the call ended."""

        async def found() -> Part | None:
            part = await self.part()
            return part if part is not None and part.outcome is not None else None

        part = await eventually(found, CALL_S, message="a final part")
        assert part is not None
        return part

    async def agents(self) -> list[str]:
        request = api.ListParticipantsRequest(room=self.room)
        found = (await self.livekit.room.list_participants(request)).participants
        return [one.identity for one in found if one.kind == api.ParticipantInfo.Kind.AGENT]

    async def until_agentless(self) -> None:
        async def none_left() -> bool:
            return await self.agents() == []

        await eventually(none_left, CALL_S)

    async def has_room(self) -> bool:
        rooms = await self.livekit.room.list_rooms(api.ListRoomsRequest(names=[self.room]))
        return bool(rooms.rooms)

    async def until_room_is_closed(self) -> None:
        async def is_closed() -> bool:
            return not await self.has_room()

        await eventually(is_closed, CALL_S)

    def assignment(self, *, admit_on_start: bool = False) -> Assignment:
        return Assignment(
            session_id=self.session_id,
            user_id=USER,
            identity=self.identity,
            persona=self.persona,
            admit_on_start=admit_on_start,
        )

    def join(self) -> Caller:
        return Caller(self.url, self.token)


@dataclass
class Fleet:
    """Starts workers and calls, and remembers them."""

    store: SessionStore
    livekit: api.LiveKitAPI
    server: LiveKitServer
    environment: dict[str, str]
    logs: Path
    cleanup: AsyncExitStack
    #: Whom calls go to: the worker that was started last.
    agent_name: str = "nobody"

    async def start_worker(self, *, until_ready: bool = True, **changes: str) -> WorkerProcess:
        """Start a worker with some variables changed; the calls that follow are for it."""
        port, self.agent_name = free_port(), f"agent-{secrets.token_hex(4)}"
        log = self.logs / f"worker-{port}.log"
        variables = {"WORKER_PORT": str(port), "AGENT_NAME": self.agent_name} | changes
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "worker"),
                cwd=REPO,
                env=self.environment | variables,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
            )
        worker = WorkerProcess(f"http://{LOOPBACK}:{port}", log, self.agent_name, process)
        self.cleanup.push_async_callback(worker.stop)
        add_log("fleet", log)
        if until_ready:
            await eventually(lambda: worker.answers("/readyz", 200), READY_S)
        return worker

    def room_settings(self) -> RoomSettings:
        """Return how token servers reach LiveKit, and send for the worker that was started last."""
        server = self.server
        return RoomSettings(
            livekit_url=server.url,
            livekit_api_key=server.api_key,
            livekit_api_secret=SecretStr(server.api_secret),
            agent_name=self.agent_name,
        )

    async def start_call(
        self, *, is_admitted: bool = True, metadata: str | None = None, persona: str | None = None
    ) -> Call:
        """Admit a session, open its room and send for an agent."""
        call = self.new_call()
        call.persona = persona
        if is_admitted:
            await self.admit(call)
        assignment = call.assignment(admit_on_start=not is_admitted)
        await self.send_agent(call, assignment.to_metadata() if metadata is None else metadata)
        return call

    async def admit(self, call: Call) -> None:
        """Give the session its slot."""
        await self.store.admit(
            Newcomer(id=call.session_id, user_id=USER, identity=call.identity, persona=call.persona)
        )

    async def send_agent(self, call: Call, metadata: str) -> None:
        """Open the room with its agent."""
        dispatch = api.RoomAgentDispatch(agent_name=self.agent_name, metadata=metadata)
        request = api.CreateRoomRequest(name=call.room, empty_timeout=60, agents=[dispatch])
        await self.livekit.room.create_room(request)

    async def send_agent_again(self, call: Call, metadata: str) -> None:
        """Send another agent into a room that is there."""
        request = api.CreateAgentDispatchRequest(
            agent_name=self.agent_name, room=call.room, metadata=metadata
        )
        await self.livekit.agent_dispatch.create_dispatch(request)

    def new_call(self) -> Call:
        session_id, identity = new_session_id(), new_identity()
        room = room_name(session_id)
        token = api.AccessToken(self.server.api_key, self.server.api_secret)
        token = token.with_identity(identity)
        token = token.with_grants(api.VideoGrants(room_join=True, room=room))
        return Call(
            session_id=session_id,
            room=room,
            identity=identity,
            token=token.to_jwt(),
            url=self.server.url,
            store=self.store,
            livekit=self.livekit,
        )


async def until_gone(processes: Iterable[psutil.Process]) -> None:
    async def are_gone() -> bool:
        return all(is_gone(process) for process in processes)

    await eventually(are_gone, CALL_S)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
