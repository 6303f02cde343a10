"""A session as a stream of events: nothing is lost or comes twice, and nobody holds on to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from sessions.ids import SessionId, WorkerId
from sessions.model import AgentProcess
from sessions.store import SessionStore
from tests.integration.tokenserver.flow import (
    Session,
    look,
    proof,
    start,
    stop,
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
    """One server with one slot; agents keep theirs without a heartbeat."""
    logs = tmp_path_factory.mktemp("events")
    with standing_server(redis_server, livekit_server, logs, AGENT_LEASE_S="60") as server:
        yield server


@pytest.fixture
async def http(standing: Standing) -> AsyncIterator[httpx2.AsyncClient]:
    async with nobody_left(standing) as client:
        yield client


@pytest.fixture
async def store(standing: Standing) -> AsyncIterator[SessionStore]:
    async with standing.store() as store:
        yield store


async def test_each_change_is_told_until_the_end(
    http: httpx2.AsyncClient, store: SessionStore
) -> None:
    session = await start(http)
    async with following(http, session) as stream:
        await stream.until_status("starting")
        await _claim(store, session)
        await store.mark_ready(_id(session), 1)
        await stream.until_status("ready")
        await store.mark_joined(_id(session))
        await stream.until_status("active")
        await stop(http, session)
        await stream.until_status("ended")
        await stream.until_ended()
    assert stream.status_code == 200
    assert stream.retry_ms == 1000
    seen = [status for status in stream.statuses if status != "ending"]
    assert seen == ["starting", "ready", "active", "ended"]
    assert [event.id for event in stream.events] == [
        event.view["revision"] for event in stream.events
    ]
    assert stream.events[0].id < stream.events[1].id < stream.events[2].id
    assert stream.events[0].view["participantToken"]
    assert stream.events[-1].view["participantToken"] is None


async def test_a_failure_is_told_with_its_reason(
    http: httpx2.AsyncClient, store: SessionStore
) -> None:
    session = await start(http)
    async with following(http, session) as stream:
        await stream.until_status("starting")
        await store.fail(_id(session), "The agent is ill.")
        event = await stream.until_status("failed")
        await stream.until_ended()
    assert event.view["error"] == {
        "code": "session_failed",
        "message": "The agent is ill.",
        "retryAfter": None,
    }


async def test_who_comes_back_is_told_what_is_new_and_nothing_else(
    http: httpx2.AsyncClient, store: SessionStore
) -> None:
    session = await start(http)
    async with following(http, session) as stream:
        first = await stream.until_status("starting")
    await _claim(store, session)
    await store.mark_ready(_id(session), 1)
    async with following(http, session, last=first.id) as stream:
        second = await stream.until_status("ready")
        assert [event.id for event in stream.events] == [second.id]
    async with following(http, session, last=second.id) as stream:
        await until_watched(http, 1)
        await store.mark_joined(_id(session))
        third = await stream.until_status("active")
        assert [event.id for event in stream.events] == [third.id]
    assert first.id < second.id < third.id


async def test_after_the_end_there_is_nothing_to_come_back_for(http: httpx2.AsyncClient) -> None:
    session = await start(http)
    await stop(http, session)
    async with following(http, session) as stream:
        await stream.until_ended()
    assert stream.statuses == ["ended"]
    async with following(http, session, last=stream.events[0].id) as stream:
        await stream.until_ended()
    assert (stream.status_code, stream.events) == (204, [])
    async with following(http, session, last=0) as stream:
        await stream.until_ended()
    assert stream.statuses == ["ended"]


async def test_while_nothing_happens_a_comment_keeps_the_connection(
    http: httpx2.AsyncClient,
) -> None:
    session = await start(http)
    async with following(http, session) as stream:
        await stream.until_status("starting")

        async def has_comment() -> bool:
            return stream.comments == [": still here"]

        await eventually(has_comment, 40)
        assert len(stream.events) == 1


async def test_each_step_in_line_is_told(http: httpx2.AsyncClient) -> None:
    await start(http)
    first, second = await start(http, 202), await start(http, 202)
    async with following(http, second) as stream:
        await stream.until_status("queued")
        await stop(http, first)

        async def moved_up() -> bool:
            return [event.view["queue"]["position"] for event in stream.events] == [2, 1]

        await eventually(moved_up)
    assert stream.events[0].id == stream.events[1].id


@pytest.mark.parametrize("way", ["following", "waiting"])
async def test_who_hangs_up_leaves_no_place_behind(http: httpx2.AsyncClient, way: str) -> None:
    session = await start(http)
    if way == "following":
        async with following(http, session) as stream:
            await stream.until_status("starting")
            await until_watched(http, 1)
    else:
        asking = asyncio.create_task(look(http, session, wait=30))
        await until_watched(http, 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await until_watched(http, 0)


async def test_the_end_leaves_no_place_behind(http: httpx2.AsyncClient) -> None:
    session = await start(http)
    async with following(http, session) as stream:
        await until_watched(http, 1)
        await stop(http, session)
        await stream.until_ended()
        await until_watched(http, 0)


async def test_only_get_can_follow(http: httpx2.AsyncClient) -> None:
    """HEAD would be answered by a stream that nobody reads."""
    session = await start(http)
    path = f"/api/session/{session['sessionId']}/events"
    assert (await http.head(path, headers=proof(session))).status_code == 405


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"WATCHERS_LIMIT": "2"}, 503, "too_many_watchers"),
        ({"WATCHERS_PER_ADDRESS": "2"}, 429, "rate_limited"),
    ],
)
async def test_so_many_may_wait_at_most(
    replicas: Replicas, limits: dict[str, str], status: int, code: str
) -> None:
    http = await replicas.http(await replicas.start(**limits))
    session = await start(http)
    path = f"/api/session/{session['sessionId']}"
    async with AsyncExitStack() as streams, asyncio.timeout(40):
        for _ in range(2):
            stream = await streams.enter_async_context(following(http, session))
            await stream.until_status("starting")
        for refused in (
            await http.get(f"{path}/events", headers=proof(session)),
            await http.get(path, params={"wait": 5}, headers=proof(session)),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
            assert int(refused.headers["Retry-After"]) >= 1
        # Asking without waiting is free.
        assert (await look(http, session))["status"] == "starting"
    await until_watched(http, 0)
    assert (await look(http, session, wait=0.1))["status"] == "starting"


async def test_a_stream_outlives_an_outage_of_redis(
    replicas: Replicas, redis_server: RedisServer
) -> None:
    """1. Somebody follows. 2. Redis goes away, and is back. 3. The session ends.

    Result: the same stream tells of the end, and told nothing twice.
    """
    async with fault_proxy(redis_server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        http = await replicas.http(await replicas.start(REDIS_URL=url, AGENT_LEASE_S="60"))
        session = await start(http)
        async with following(http, session) as stream:
            await stream.until_status("starting")
            await proxy.switch(Fault.REFUSE)

            async def is_noticed() -> bool:
                return bool((await http.get("/readyz")).json()["redis"] == "unavailable")

            await eventually(is_noticed)
            assert (stream.has_ended, stream.error) == (False, None)
            await proxy.switch(Fault.PASS)
            store = await replicas.store()
            await _claim(store, session)
            await store.mark_ready(_id(session), 1)
            # Sooner than the stream would look by itself.
            await stream.until_status("ready", 12)
            await until_status(http, session, "ready")
            await stop(http, session)
            await stream.until_status("ended")
            await stream.until_ended()
        ids = [event.id for event in stream.events]
        assert ids == sorted(set(ids))


def _id(session: Session) -> SessionId:
    return SessionId(session["sessionId"])


async def _claim(store: SessionStore, session: Session) -> None:
    agent = AgentProcess(worker_id=WorkerId("w"), pid=1, job_id="AJ_one", prewarmed=True)
    await store.claim(_id(session), 1, agent)
