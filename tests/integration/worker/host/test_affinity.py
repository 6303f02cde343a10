"""Who comes back is given the worker that they had; when it cannot, another one, and soon."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from operator import eq
from pathlib import Path

import httpx2
import pytest

from rooms.client import open_rooms
from rooms.settings import RoomSettings
from sessions.fleet import Worker as Listed
from sessions.ids import SessionId, WorkerId
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.tokenserver.flow import dispatches_of
from tests.integration.worker.api import serving_api
from tests.integration.worker.fleet import CALL_S, READY_S, Fleet, WorkerProcess
from tests.support.wait import eventually
from tokenserver.affinity import Affinity

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("empty_store")]

#: Enough for chance: two workers would agree ten times in a row once in a thousand runs.
TRIALS = 10
USER = "ada"
NOT_LOST = "anybody may"
MAKES_WAY = '"answer": "make way"'


def worker_of(session: Session) -> WorkerId:
    assert session.worker_id is not None
    return session.worker_id


@dataclass
class Desk:
    """A token server whose users are known, and the workers it sends for, by their names."""

    http: httpx2.AsyncClient
    store: SessionStore
    log: Path
    workers: dict[WorkerId, WorkerProcess]

    async def served(self, user: str) -> Session:
        """Start a session; return it when its agent is there."""
        answer = await self.http.post("/api/session/start", json={"userId": user})
        assert answer.status_code == 201, answer.text
        session_id = SessionId(answer.json()["sessionId"])

        async def has_agent() -> Session | None:
            session = await self.store.get(session_id)
            return session if session.status is State.READY else None

        session = await eventually(has_agent, CALL_S)
        assert session is not None
        assert session.worker_id in self.workers
        return session

    async def visit(self) -> WorkerId:
        """Have a session; return the worker that had it."""
        session = await self.served(USER)
        await self.stop(session)
        return worker_of(session)

    async def stop(self, session: Session) -> None:
        answer = await self.http.post(f"/api/session/{session.id}/stop")
        assert answer.status_code == 200, answer.text
        await eventually(partial(self.is_refilled, worker_of(session)), READY_S)

    async def is_refilled(self, worker_id: WorkerId) -> bool:
        seen = (await self.workers[worker_id].ask("/worker")).json()
        return bool(seen["idle"] == seen["poolTarget"])

    async def order(self, worker_id: WorkerId, *, is_draining: bool) -> None:
        """Let a worker drain, or take calls again, and wait until it does."""
        await self.store.fleet.drain(worker_id, is_draining=is_draining)
        status = 503 if is_draining else 200
        await eventually(partial(self.workers[worker_id].answers, "/readyz", status), READY_S)

    async def is_full(self, worker_id: WorkerId) -> bool:
        return any(one.active == 3 for one in await self.listed() if one.id == worker_id)

    async def are_known_to_be_free(self) -> bool:
        return [one.active for one in await self.listed()] == [0, 0]

    async def listed(self) -> list[Listed]:
        return await self.store.fleet.workers()


@pytest.fixture
async def desk(fleet: Fleet, store: SessionStore, tmp_path: Path) -> AsyncIterator[Desk]:
    """Two workers that hear of each other late, and a token server that nobody helps out."""
    name, workers = f"agent-{secrets.token_hex(4)}", {}
    for worker_id in (WorkerId("one"), WorkerId("two")):
        workers[worker_id] = await fleet.start_worker(
            until_ready=False,
            AGENT_NAME=name,
            WORKER_ID=worker_id,
            WORKER_CAPACITY="3",
            WORKER_HEARTBEAT_S="4",
            WORKER_LEASE_S="30",
        )
    fleet.agent_name = name
    for worker in workers.values():
        await eventually(partial(worker.answers, "/readyz", 200), READY_S)
    key, log = secrets.token_hex(16), tmp_path / "tokenserver.log"
    # The supervisor would send another agent, too, but not within the time that tests wait.
    variables = {"ADMIN_API_KEY": key, "CLAIM_DEADLINE_S": "60", "START_LEASE_S": "200"}
    variables |= {"USER_POLICY": "allow", "USER_STARTS_PER_MINUTE": "0"}
    async with serving_api(fleet, log, variables) as http:
        http.headers["Authorization"] = f"Bearer {key}"
        yield Desk(http, store, log, workers)


async def test_a_user_comes_back_to_the_worker_they_had(desk: Desk, fleet: Fleet) -> None:
    """1. Ten sessions, one after the other. 2. An operator drains the worker. 3. The other one has
    the user now, three times, which are all its places; the first one takes calls again.
    4. It is killed, and the user comes back before anybody has noticed: the other worker makes way
    for one that LiveKit cannot ask any more, so the job is lost. 5. Somebody waits for an agent
    whose job was taken.

    Result: 1. It is the same worker each time. 2., 3. It is the one that can. 4. Another agent is
    sent, under the same epoch, and the other worker takes it. 5. None is sent.
    """
    first = await desk.served(USER)
    await desk.stop(first)
    came_to = [worker_of(first)] + [await desk.visit() for _ in range(TRIALS)]
    # On a busy machine a worker may once be too slow to answer, and is not waited for.
    assert sum(map(eq, came_to, came_to[1:])) >= TRIALS - 1, came_to
    home = came_to[-1]
    (other,) = set(desk.workers) - {home}

    await desk.order(home, is_draining=True)
    taken = [await desk.served(USER) for _ in range(3)]
    assert {one.worker_id for one in taken} == {other}

    await desk.order(home, is_draining=False)
    await eventually(partial(desk.is_full, other), CALL_S)
    assert await desk.visit() == home

    for one in taken:
        await desk.stop(one)
    await eventually(desk.are_known_to_be_free, CALL_S)
    desk.workers[home].process.kill()
    last = await desk.served(USER)
    assert (last.worker_id, last.epoch) == (other, 1)
    assert MAKES_WAY in desk.workers[other].log.read_text()
    lines = desk.log.read_text().splitlines()
    assert [line for line in lines if NOT_LOST in line and last.id in line]
    assert len(await dispatches_of(fleet.server, last.room)) == 2
    await watch_another(fleet, last.room)
    assert len(await dispatches_of(fleet.server, last.room)) == 2


async def watch_another(fleet: Fleet, room: str) -> None:
    """Watch the job of a session that nobody has claimed, in a room whose job was taken."""
    call = fleet.new_call()
    await fleet.admit(call)
    told = {"livekit_url": fleet.server.url, "livekit_api_key": fleet.server.api_key}
    told |= {"livekit_api_secret": fleet.server.api_secret}
    async with open_rooms(RoomSettings.model_validate(told)) as rooms:
        affinity = Affinity(fleet.store, rooms)
        assert await rooms.has_job(room)
        affinity.watch(call.assignment().model_copy(update={"foreign_room": room}))
        await asyncio.wait(affinity._watching, timeout=CALL_S)
        assert not affinity._watching
