"""Whom a start prefers, and that an agent is sent once more when nobody takes its job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import httpx2
import pytest

from rooms.client import open_rooms
from rooms.settings import RoomSettings
from sessions.assignment import Assignment
from sessions.connection import Temper, connect
from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, UserId, WorkerId, new_session_id
from sessions.model import AgentProcess
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.tokenserver.flow import Session, dispatches_of
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.replicas import ADMIN_KEY, Standing, nobody_left, standing_server
from tests.support.servers import LiveKitServer, RedisServer
from tests.support.wait import eventually
from tokenserver.affinity import Affinity

WORKER = WorkerId("worker-1")
AS_ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
BY_THEN_S = 30.0
#: An open circuit and a dead Redis would be worth more than this to nobody.
AT_ONCE_S = 5.0


@pytest.fixture(scope="module")
def standing(
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standing]:
    logs = tmp_path_factory.mktemp("affinity")
    limits = {"MAX_SESSIONS": "20", "USER_STARTS_PER_MINUTE": "0", "AGENT_LEASE_S": "60"}
    with standing_server(
        redis_server, livekit_server, logs, **limits, USER_POLICY="allow"
    ) as server:
        yield server


@pytest.fixture
async def http(standing: Standing) -> AsyncIterator[httpx2.AsyncClient]:
    async with nobody_left(standing) as client:
        yield client


@pytest.fixture
async def store(standing: Standing) -> AsyncIterator[SessionStore]:
    """With a worker in it that has places, and nobody else."""
    async with standing.store() as store:
        await store.fleet.register(Registration(id=WORKER, capacity=10, host="here", version="1"))
        await store.fleet.renew(WORKER, Beat(active=1, idle=1, load=0.1, spawned=1))
        yield store
        await store.fleet.leave(WORKER)


@pytest.fixture
def ada() -> str:
    """Somebody whom no other test has given a worker."""
    return f"ada-{new_session_id()[:8]}"


async def start(http: httpx2.AsyncClient, user: str, **headers: str) -> Session:
    answer = await http.post("/api/session/start", json={"userId": user}, headers=headers)
    assert answer.status_code == 201, answer.text
    session: Session = answer.json()
    return session


async def claim(store: SessionStore, session: Session) -> None:
    """Be the agent that comes."""
    process = AgentProcess(worker_id=WORKER, pid=1, job_id="AJ_one", prewarmed=True)
    await store.claim(SessionId(session["sessionId"]), 1, process)


async def assignments(server: LiveKitServer, session: Session) -> list[Assignment]:
    """Return what agents were told that were sent to a session."""
    sent = await dispatches_of(server, session["roomName"])
    found = [Assignment.from_metadata(one.metadata) for one in sent]
    return [one for one in found if one is not None]


async def preferred(
    http: httpx2.AsyncClient, server: LiveKitServer, user: str, **headers: str
) -> WorkerId | None:
    """Start a session; return the worker that its agent is to come from."""
    return (await assignments(server, await start(http, user, **headers)))[0].prefer


async def test_a_known_user_is_to_have_the_worker_they_had(
    http: httpx2.AsyncClient, store: SessionStore, livekit_server: LiveKitServer, ada: str
) -> None:
    """As long as it can be counted on."""
    first = await start(http, ada, **AS_ADMIN)
    assert (await assignments(livekit_server, first))[0].prefer is None
    await claim(store, first)
    assert await preferred(http, livekit_server, ada, **AS_ADMIN) == WORKER
    assert await preferred(http, livekit_server, "eve", **AS_ADMIN) is None
    await store.fleet.renew(WORKER, Beat(active=10, idle=0, load=1.0, spawned=1))
    assert await preferred(http, livekit_server, ada, **AS_ADMIN) is None
    await store.fleet.renew(WORKER, Beat(active=1, idle=1, load=0.1, spawned=1))
    await store.fleet.drain(WORKER)
    assert await preferred(http, livekit_server, ada, **AS_ADMIN) is None
    await store.fleet.leave(WORKER)
    assert await preferred(http, livekit_server, ada, **AS_ADMIN) is None


async def test_a_name_that_anybody_may_give_prefers_nobody(
    http: httpx2.AsyncClient, store: SessionStore, livekit_server: LiveKitServer, ada: str
) -> None:
    await claim(store, await start(http, ada))
    assert await preferred(http, livekit_server, ada) is None


async def test_who_is_preferred_and_does_not_come_is_replaced(
    http: httpx2.AsyncClient, store: SessionStore, livekit_server: LiveKitServer, ada: str
) -> None:
    """1. No worker takes the job of the preferred one, though its start is repeated by a client
    that lost the answer. 2. Another session's agent comes, its job is taken.

    Result: 1. Once another agent is sent, from anywhere, under the same epoch. 2. None is.
    """
    await claim(store, await start(http, ada, **AS_ADMIN))
    taken = await start(http, ada, **AS_ADMIN)
    await claim(store, taken)
    key = {"Idempotency-Key": new_session_id()}
    lost, again = [await start(http, ada, **AS_ADMIN, **key) for _ in range(2)]
    assert again["sessionId"] == lost["sessionId"]
    # Watched after both of them: when its turn has come, so has theirs.
    last = await start(http, ada, **AS_ADMIN)

    async def are_sent_for_twice() -> bool:
        sent = [await assignments(livekit_server, one) for one in (lost, last)]
        return min(map(len, sent)) == 2

    await eventually(are_sent_for_twice, BY_THEN_S)
    # LiveKit lists them in no order.
    sent = sorted(await assignments(livekit_server, lost), key=lambda one: one.prefer is None)
    assert [(one.prefer, one.epoch) for one in sent] == [(WORKER, 1), (None, 1)]
    assert sent[1] == sent[0].model_copy(update={"prefer": None})
    assert len(await assignments(livekit_server, taken)) == 1


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.BLACK_HOLE])
async def test_without_redis_nobody_is_preferred_and_nobody_waits(
    redis_server: RedisServer, livekit_server: LiveKitServer, fault: Fault
) -> None:
    told = {"livekit_url": livekit_server.url, "livekit_api_key": livekit_server.api_key}
    told |= {"livekit_api_secret": livekit_server.api_secret}
    async with fault_proxy(redis_server.port) as proxy:
        settings = StoreSettings.model_validate({"redis_url": f"redis://127.0.0.1:{proxy.port}/0"})
        await proxy.switch(fault)
        async with (
            aclosing(connect(settings, Temper.PATIENT)) as redis,
            open_rooms(RoomSettings.model_validate(told)) as rooms,
        ):
            async with asyncio.timeout(AT_ONCE_S):
                found = await Affinity(SessionStore(redis, settings), rooms).worker_for(
                    UserId("ada")
                )
            assert found is None
