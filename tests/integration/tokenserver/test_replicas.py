"""Two token servers behind any balancer are one: it does not matter which of them answers."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.integration.tokenserver.flow import (
    dispatches_of,
    look,
    proof,
    start,
    stop,
    until_status,
    until_watched,
)
from tests.support.event_stream import following
from tests.support.replicas import Replicas
from tests.support.servers import LiveKitServer

Two = tuple[httpx2.AsyncClient, httpx2.AsyncClient]


@pytest.fixture
async def two(replicas: Replicas) -> Two:
    one, other = await asyncio.gather(replicas.start(), replicas.start())
    return await replicas.http(one), await replicas.http(other)


async def test_what_one_has_started_the_other_knows(two: Two) -> None:
    """Requests alternate: start, look, token, queue, stop, look."""
    a, b = two
    session = await start(a)
    assert (await look(b, session))["status"] == "starting"
    token = await a.post(
        "/api/token", json={"sessionId": session["sessionId"]}, headers=proof(session)
    )
    assert token.status_code == 201
    waiting = await start(b, 202)
    assert (await look(a, waiting))["queue"]["position"] == 1
    await stop(b, session)
    assert (await look(a, session))["status"] == "ended"
    await until_status(a, waiting, "starting")
    await stop(a, waiting)
    assert (await look(b, waiting))["status"] == "ended"
    for http in two:
        health = (await http.get("/api/health")).json()
        assert (health["sessions"]["starting"], health["sessions"]["queued"]) == (0, 0)


@pytest.mark.parametrize("is_full", [False, True])
async def test_the_same_key_means_the_same_session_at_both(
    two: Two, livekit_server: LiveKitServer, *, is_full: bool
) -> None:
    a, b = two
    if is_full:
        await start(a)
    key = {"Idempotency-Key": "the-same-key-for-both"}
    answers = await asyncio.gather(
        *(http.post("/api/session/start", headers=key) for http in (a, b, a, b))
    )
    assert {answer.status_code for answer in answers} == {202 if is_full else 201}
    sessions = [answer.json() for answer in answers]
    for name in ("sessionId", "sessionSecret", "roomName", "status"):
        assert len({session[name] for session in sessions}) == 1, name
    assert (await look(b, sessions[0]))["sessionId"] == sessions[0]["sessionId"]
    sent = await dispatches_of(livekit_server, sessions[0]["roomName"])
    assert len(sent) == (0 if is_full else 1)


async def test_starts_are_counted_together(replicas: Replicas) -> None:
    limited = [
        await replicas.http(await replicas.start(START_LIMIT_PER_MINUTE="4", MAX_SESSIONS="9"))
        for _ in range(2)
    ]
    codes = [(await limited[turn % 2].post("/api/session/start")).status_code for turn in range(6)]
    assert codes == [201] * 4 + [429] * 2


async def test_a_stream_at_one_tells_what_happens_at_the_other(two: Two) -> None:
    a, b = two
    talking = await start(a)
    waiting = await start(a, 202)
    async with following(b, waiting) as stream:
        await stream.until_status("queued")
        await stop(a, talking)
        await stream.until_status("starting")
        await stop(a, waiting)
        await stream.until_status("ended")
        await stream.until_ended()


async def test_a_long_poll_at_one_is_woken_by_the_other(two: Two) -> None:
    a, b = two
    session = await start(a)
    asking = asyncio.create_task(look(b, session, wait=30))
    await until_watched(b, 1)
    began = asyncio.get_running_loop().time()
    await stop(a, session)
    assert (await asking)["status"] in {"ending", "ended"}
    assert asyncio.get_running_loop().time() - began < 20
