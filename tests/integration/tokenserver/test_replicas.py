"""Two token servers behind any balancer are one: it does not matter which of them answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import jwt
import pytest

from sessions.assignment import Assignment
from sessions.errors import RateLimited
from sessions.ids import WorkerId
from sessions.model import AgentProcess
from sessions.store import SessionStore
from tests.integration.tokenserver.flow import (
    dispatches_of,
    look,
    proof,
    start,
    stop,
    until_status,
    until_watched,
)
from tests.support.callers import calling_from
from tests.support.event_stream import following
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import LiveKitServer
from worker.call.lease import Lease, LeaseLost

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


async def test_a_start_is_repeated_across_a_rotation_of_the_secret(replicas: Replicas) -> None:
    """1. A start. 2. LIVEKIT_API_SECRET is replaced, and the one before is still set. 3. The start
    comes again.

    Result: the same session with the same secret, which still is its proof. Where the secret before
    is not set, 409: nobody can tell the session's secret any more.
    """
    before = replicas.env["LIVEKIT_API_SECRET"]
    previous = {
        "LIVEKIT_PREVIOUS_API_KEY": replicas.env["LIVEKIT_API_KEY"],
        "LIVEKIT_PREVIOUS_API_SECRET": before,
    }
    # The session waits: LiveKit, which here has one key, is not asked about it.
    new = {"LIVEKIT_API_SECRET": f"new-{before}"}
    old, rotated, careless = [
        await replicas.http(server)
        for server in (
            await replicas.start(),
            await replicas.start(until="healthz", **new, **previous),
            await replicas.start(until="healthz", **new),
        )
    ]
    await start(old)
    key = {"Idempotency-Key": "the-same-key-across-a-rotation"}
    first = await old.post("/api/session/start", headers=key)
    again = await rotated.post("/api/session/start", headers=key)
    assert (first.status_code, again.status_code) == (202, 202), again.text
    for name in ("sessionId", "sessionSecret", "roomName", "status"):
        assert again.json()[name] == first.json()[name]
    assert (await look(rotated, again.json()))["status"] == "queued"
    refused = await careless.post("/api/session/start", headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_a_repetition_that_fails_takes_no_session_away(
    replicas: Replicas, livekit_server: LiveKitServer
) -> None:
    """1. A start; its room is open and its agent sent. 2. The same start comes again, to a server
    that does not reach LiveKit.

    Result: 503, and the session is as well as before. A start of that server's own leaves none.
    """
    async with fault_proxy(livekit_server.port) as proxy:
        good = await replicas.http(await replicas.start(MAX_SESSIONS="9"))
        cut_off = await replicas.http(
            await replicas.start(
                MAX_SESSIONS="9",
                LIVEKIT_URL=f"ws://127.0.0.1:{proxy.port}",
                LIVEKIT_BREAKER_FAILURES="100",
                LIVEKIT_TIMEOUT_S="2",
            )
        )
        key = {"Idempotency-Key": "the-same-key-for-both"}
        first = await good.post("/api/session/start", headers=key)
        assert first.status_code == 201, first.text
        await proxy.switch(Fault.REFUSE)
        again = await cut_off.post("/api/session/start", headers=key)
        assert (again.status_code, again.json()["error"]["code"]) == (503, "livekit_unavailable")
        assert (await look(good, first.json()))["status"] == "starting"
        await start(cut_off, 503)
        health = (await good.get("/api/health")).json()["sessions"]
        assert health["starting"] == 1
        await stop(good, first.json())


async def test_starts_are_counted_together(replicas: Replicas) -> None:
    limited = [
        await replicas.http(await replicas.start(START_LIMIT_PER_MINUTE="4", MAX_SESSIONS="9"))
        for _ in range(2)
    ]
    codes = [(await limited[turn % 2].post("/api/session/start")).status_code for turn in range(6)]
    assert codes == [201] * 4 + [429] * 2


async def test_all_starts_are_counted_together_whoever_calls(replicas: Replicas) -> None:
    """Attack 25: four are let in, of four addresses at two servers. The fifth, of another, is told
    when to come back. An admin is let in.
    """
    servers = [await replicas.start(ALL_STARTS_PER_MINUTE="4", MAX_SESSIONS="9") for _ in range(2)]
    codes = []
    for turn in range(5):
        async with calling_from(servers[turn % 2].url, f"127.0.26.{turn + 1}") as http:
            answer = await http.post("/api/session/start")
            codes.append(answer.status_code)
            if turn == 4:
                assert answer.json()["error"]["code"] == "rate_limited"
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
                admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
                answer = await http.post("/api/session/start", headers=admin)
                assert answer.status_code == 201, answer.text
    assert codes == [201] * 4 + [429]


async def test_joins_with_standard_tokens_are_starts_of_who_fetched_them(
    replicas: Replicas,
) -> None:
    """Attack 25: 1. One address starts a session, and fetches four standard tokens, at two servers.
    2. Users join with them: an agent admits each.

    Result: START_LIMIT_PER_MINUTE holds for both ways together. Somebody else's token still counts.
    No token tells the address.
    """
    replicas.env |= {"START_LIMIT_PER_MINUTE": "3", "MAX_SESSIONS": "9"}
    servers, store = [await replicas.start() for _ in range(2)], await replicas.store()
    async with calling_from(servers[0].url, "127.0.27.1") as http:
        assert (await http.post("/api/session/start")).status_code == 201
    for turn in range(4):
        async with calling_from(servers[turn % 2].url, "127.0.27.1") as http:
            token = await _standard_token(http)
        assert "127.0.27" not in json.dumps(token)
        if turn < 2:
            await _join(store, token)
        else:
            with pytest.raises(LeaseLost) as caught:
                await _join(store, token)
            assert isinstance(caught.value.cause, RateLimited)
    async with calling_from(servers[0].url, "127.0.27.2") as http:
        await _join(store, await _standard_token(http))


async def _standard_token(http: httpx2.AsyncClient) -> dict[str, Any]:
    """Return what a fresh standard token says."""
    answer = await http.post("/api/token", json={})
    assert answer.status_code == 201, answer.text
    claims: dict[str, Any] = jwt.decode(
        answer.json()["participant_token"], options={"verify_signature": False}
    )
    return claims


async def _join(store: SessionStore, token: dict[str, Any]) -> None:
    """Do what the agent does that LiveKit sends into the room of a token."""
    (sent,) = token["roomConfig"]["agents"]
    assignment = Assignment.from_metadata(sent["metadata"])
    assert assignment is not None
    agent = AgentProcess(worker_id=WorkerId("w"), pid=1, job_id="AJ_one", prewarmed=True)
    await Lease(store, assignment, agent, interval_s=1).admit()


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
