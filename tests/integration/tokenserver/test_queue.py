"""Over capacity there is a line: it is kept by asking, and moves by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from sessions.ids import SessionId, WorkerId
from sessions.model import AgentProcess
from sessions.store import SessionStore
from tests.integration.supervisor.conftest import come
from tests.integration.tokenserver.flow import (
    Session,
    assert_opens,
    dispatches_of,
    look,
    start,
    stop,
    until_dispatched,
    until_status,
    until_watched,
)
from tests.support.event_stream import following
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.replicas import Replicas, Standing, nobody_left, standing_server
from tests.support.servers import LiveKitServer, RedisServer
from tests.support.wait import eventually


@pytest.fixture(scope="module")
def standing(
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standing]:
    """One server with one slot. No agent is sent in place of one that is lost."""
    logs = tmp_path_factory.mktemp("queue")
    with standing_server(redis_server, livekit_server, logs, REDISPATCH_LIMIT="0") as server:
        yield server


@pytest.fixture
async def http(standing: Standing) -> AsyncIterator[httpx2.AsyncClient]:
    async with nobody_left(standing) as client:
        yield client


async def test_whoever_comes_when_all_slots_are_taken_gets_a_place(replicas: Replicas) -> None:
    http = await replicas.http(await replicas.start())
    await start(http)
    first, second = await start(http, 202), await start(http, 202)
    assert [session["queue"]["position"] for session in (first, second)] == [1, 2]
    assert first["status"] == "queued"
    # Nothing is known yet of how long sessions last.
    assert first["queue"]["etaSeconds"] is first["estimatedWait"] is None
    assert "participantToken" not in first
    view = await look(http, second)
    assert (view["queue"]["position"], view["participantToken"]) == (2, None)


async def test_how_long_the_wait_may_be_is_learned_from_sessions(http: httpx2.AsyncClient) -> None:
    await stop(http, await start(http))
    await start(http)
    waiting = await start(http, 202)
    assert waiting["queue"]["etaSeconds"] >= 0
    assert waiting["estimatedWait"] == waiting["queue"]["etaSeconds"]


@pytest.mark.parametrize("way", ["asking", "waiting", "following"])
async def test_asking_keeps_the_place_and_silence_loses_it(replicas: Replicas, way: str) -> None:
    """1. Two wait. 2. One goes on asking, for several times as long as a ticket is good.

    Result: it is in line still; the other has expired.
    """
    http = await replicas.http(await replicas.start(TICKET_TTL_S="1.5"))
    await start(http)
    keen, silent = await start(http, 202), await start(http, 202)
    ends_at = time.monotonic() + 5
    if way == "asking":
        while time.monotonic() < ends_at:
            assert (await look(http, keen))["status"] == "queued"
            await asyncio.sleep(0.2)
    elif way == "waiting":
        assert (await look(http, keen, wait=5))["status"] == "queued"
    else:
        async with following(http, keen) as stream:
            await asyncio.sleep(5)
            assert stream.statuses[-1] == "queued"
    assert (await look(http, keen))["status"] == "queued"
    lost = await look(http, silent)
    assert (lost["status"], lost["message"]) == ("expired", "The wait was given up.")


@pytest.mark.parametrize("end", ["stopped", "ended by its agent", "lost with its agent"])
async def test_when_a_session_ends_the_first_in_line_is_admitted_and_its_agent_sent(
    http: httpx2.AsyncClient, standing: Standing, livekit_server: LiveKitServer, end: str
) -> None:
    """1. One talks, one waits. 2. The talk ends; the one who waits asks for nothing.

    Result: an agent was sent into the room of the one who waited; asking then gives a token.
    """
    talking = await start(http)
    waiting = await start(http, 202)
    async with standing.store() as store:
        if end == "stopped":
            await stop(http, talking)
        else:
            await _claim(store, talking)
        if end == "ended by its agent":
            await store.end(SessionId(talking["sessionId"]), epoch=1)
    (sent,) = await until_dispatched(livekit_server, waiting["roomName"])
    assert json.loads(sent.metadata)["session_id"] == waiting["sessionId"]
    assert sent.agent_name == standing.env["AGENT_NAME"]
    view = await until_status(http, waiting, "starting")
    assert view["queue"] is None
    await assert_opens(view)
    assert (await look(http, talking))["status"] in {"ending", "ended", "failed"}


async def test_a_long_poll_returns_when_there_is_a_slot(http: httpx2.AsyncClient) -> None:
    talking = await start(http)
    waiting = await start(http, 202)
    began = time.monotonic()
    asking = asyncio.create_task(look(http, waiting, wait=30))
    await until_watched(http, 1)
    await stop(http, talking)
    view = await asking
    assert time.monotonic() - began < 20
    assert view["status"] == "starting"
    await assert_opens(view)


async def test_an_event_tells_of_the_slot(http: httpx2.AsyncClient) -> None:
    talking = await start(http)
    waiting = await start(http, 202)
    async with following(http, waiting) as stream:
        await stream.until_status("queued")
        await stop(http, talking)
        event = await stream.until_status("starting")
    await assert_opens(event.view)


async def test_first_come_first_served(http: httpx2.AsyncClient) -> None:
    talking = await start(http)
    line = [await start(http, 202) for _ in range(3)]
    expected, served = [one["sessionId"] for one in line], []
    for _ in range(3):
        await stop(http, talking)
        views = await asyncio.gather(*(look(http, one) for one in line))
        talking = next(
            one for one, view in zip(line, views, strict=True) if view["status"] == "starting"
        )
        served.append(talking["sessionId"])
        line.remove(talking)
        assert [(await look(http, one))["queue"]["position"] for one in line] == [
            *range(1, len(line) + 1)
        ]
    assert served == expected


async def test_who_does_not_want_to_wait_is_told_so(http: httpx2.AsyncClient) -> None:
    await start(http)
    refused = await start(http, 429, queue=False)
    assert refused["error"]["code"] == "at_capacity"
    assert refused["error"]["retryAfter"] > 0


async def test_the_line_is_only_so_long(replicas: Replicas) -> None:
    http = await replicas.http(await replicas.start(QUEUE_LIMIT="1"))
    await start(http)
    waiting = await start(http, 202)
    assert (await start(http, 429))["error"]["code"] == "queue_full"
    await stop(http, waiting)
    await start(http, 202)


async def test_giving_up_frees_the_place(http: httpx2.AsyncClient) -> None:
    await start(http)
    first, second = await start(http, 202), await start(http, 202)
    await stop(http, first)
    assert (await look(http, first))["status"] == "ended"
    assert (await look(http, second))["queue"]["position"] == 1


async def test_of_two_servers_one_sends_the_agent(
    replicas: Replicas, livekit_server: LiveKitServer
) -> None:
    """1. Eight talk, eight wait, at two servers. 2. All talks are stopped at about the same time.

    Result: each of those who waited has been sent one agent.
    """
    both = [
        await replicas.http(await replicas.start(MAX_SESSIONS="8", CLAIM_DEADLINE_S="60"))
        for _ in range(2)
    ]
    talking = [await start(both[0]) for _ in range(8)]
    waiting = [await start(both[1], 202) for _ in range(8)]
    await asyncio.gather(*(stop(both[turn % 2], one) for turn, one in enumerate(talking)))
    for session in waiting:
        await until_dispatched(livekit_server, session["roomName"])
    # Time for the slower server to make its mistake: it looks once a second.
    await asyncio.sleep(2.5)
    counts = [len(await dispatches_of(livekit_server, one["roomName"])) for one in waiting]
    assert counts == [1] * 8
    store = await replicas.store()
    assert {(await store.get(SessionId(one["sessionId"]))).epoch for one in waiting} == {1}


async def test_a_slot_that_comes_free_while_livekit_is_away_is_used_when_it_is_back(
    replicas: Replicas, livekit_server: LiveKitServer
) -> None:
    """1. One talks, one waits. 2. LiveKit goes away, and the talk is stopped. 3. LiveKit is back.

    Result: whoever waited was sent one agent, and the room of the first one is closed.
    """
    async with fault_proxy(livekit_server.port) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}"
        server = await replicas.start(LIVEKIT_URL=url, LIVEKIT_BREAKER_OPEN_S="1")
        http = await replicas.http(server)
        talking, waiting = await start(http), await start(http, 202)
        await proxy.switch(Fault.REFUSE)
        await stop(http, talking)
        await until_status(http, waiting, "starting")
        # Longer than it takes to lose as many agents as a session may lose, one a second.
        ends_at = time.monotonic() + 7
        while time.monotonic() < ends_at:
            assert (await look(http, waiting))["status"] == "starting"
            await asyncio.sleep(0.5)
        await proxy.switch(Fault.PASS)
        assert len(await until_dispatched(livekit_server, waiting["roomName"])) == 1
        await assert_opens(await look(http, waiting))
        await until_status(http, talking, "ended")


async def test_when_no_agent_comes_the_session_fails_and_the_next_one_is_served(
    replicas: Replicas, livekit_server: LiveKitServer
) -> None:
    """A worker is listed, and takes nothing. An agent is sent, another one in its place, and then
    it is enough.
    """
    replicas.env["WORKER_LEASE_S"] = "300"
    await come(await replicas.store())
    server = await replicas.start(CLAIM_DEADLINE_S="3", REDISPATCH_LIMIT="1")
    http = await replicas.http(server)
    unlucky, waiting = await start(http), await start(http, 202)

    async def sent_twice() -> bool:
        return len(await dispatches_of(livekit_server, unlucky["roomName"])) == 2

    await eventually(sent_twice, 30)
    await until_dispatched(livekit_server, waiting["roomName"])
    failed = await until_status(http, unlucky, "failed")
    assert failed["error"]["message"] == "No agent came in time. Please try again."


async def test_an_admin_who_looks_keeps_nobodys_place(replicas: Replicas) -> None:
    http = await replicas.http(await replicas.start(TICKET_TTL_S="1"))
    await start(http)
    waiting = await start(http, 202)
    admin = {"Authorization": f"Bearer {replicas.env['ADMIN_API_KEY']}"}

    async def expired() -> bool:
        answer = await http.get(f"/api/session/{waiting['sessionId']}", headers=admin)
        return bool(answer.json()["status"] == "expired")

    await eventually(expired)


async def test_a_long_poll_has_the_answer_at_once_when_there_is_news(
    http: httpx2.AsyncClient,
) -> None:
    session = await start(http)
    known = (await look(http, session))["revision"]
    began = time.monotonic()
    view = await look(http, session, wait=30, since=known - 1)
    assert view["revision"] == known
    assert time.monotonic() - began < 15


async def test_those_who_wait_look_at_the_store_by_turns(
    replicas: Replicas, redis_server: RedisServer
) -> None:
    """1. Many ask for one session, with patience. 2. It changes, and all are woken at once.

    Result: all have the news, over few connections to Redis: a thousand who look at the same moment
    would open a thousand, and the last ones would time out.
    """
    many, turns = 150, 50
    limits = httpx2.Limits(max_connections=many + 10)
    async with fault_proxy(redis_server.port) as proxy:
        server = await replicas.start(
            REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", WATCHERS_PER_ADDRESS="1000"
        )
        async with httpx2.AsyncClient(base_url=server.url, timeout=60, limits=limits) as http:
            session = await start(http)
            asking = []
            for count in range(1, many + 1):
                # One by one: each call of its own looks at the store, too.
                asking.append(asyncio.create_task(look(http, session, wait=30)))
                if count % 5 == 0:
                    await until_watched(http, count)
            # A few more for the call that ends it, and for the loops of the server.
            most = proxy.open_connections + turns + 10
            assert most < many, "too many are open already to tell one from the other"
            await stop(http, session)
            views = await asyncio.gather(*asking)
            assert {view["status"] for view in views} <= {"ending", "ended"}
            assert proxy.open_connections <= most


async def _claim(store: SessionStore, session: Session) -> None:
    agent = AgentProcess(worker_id=WorkerId("w"), pid=1, job_id="AJ_one", prewarmed=True)
    await store.claim(SessionId(session["sessionId"]), 1, agent)
