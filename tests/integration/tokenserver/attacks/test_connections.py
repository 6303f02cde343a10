"""Callers who say little, or nothing, for long."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import httpx2
import pytest

from tests.integration.tokenserver.attacks.conftest import (
    CONNECTIONS,
    WATCHERS,
    WATCHERS_PER_ADDRESS,
)
from tests.integration.tokenserver.attacks.people import ADMIN
from tests.integration.tokenserver.attacks.wire import connection, spoken, status_of
from tests.integration.tokenserver.conftest import TokenServer, bearer
from tests.integration.tokenserver.test_sessions_api import Started, start
from tests.support.callers import calling_from
from tests.support.plain import NO_TLS
from tests.support.wait import eventually
from tokenserver.serve import HEAD_DEADLINE_S

#: A busy machine may be late; a server without a deadline would wait for ever.
CLOSED_WITHIN_S = HEAD_DEADLINE_S + 15
DRIP_EVERY_S = 0.5


async def closed_after(server: TokenServer, begin: bytes, drip: bytes) -> tuple[float, bytes]:
    """Send the beginning, then a little now and then; return when the server had enough, in s."""
    now = asyncio.get_running_loop().time
    async with connection(server.url) as (reader, writer):
        began, reading = now(), asyncio.create_task(reader.read())
        writer.write(begin)
        while not reading.done() and now() - began < CLOSED_WITHIN_S:
            if drip:
                writer.write(drip)
            await asyncio.wait({reading}, timeout=DRIP_EVERY_S)
        took_s = now() - began
        reading.cancel()
        try:
            return took_s, await reading
        except (asyncio.CancelledError, ConnectionError):
            return took_s, b""


async def test_who_sends_slowly_is_not_waited_for(tokenserver: TokenServer) -> None:
    """Attack 35: nothing, half a head byte by byte, half a body, and nothing after an answer.

    Each connection is closed within its deadline, and a slow body is a 408.
    """
    post = b"POST /api/session/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    ways = {
        "silence": (b"", b""),
        "a head without end": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        "a line without end": (b"GET /", b"x"),
        "a body without end": (post + b"Content-Length: 10000\r\n\r\n{", b" "),
        "a chunk without end": (post + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n{", b" "),
        "after an answer": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        "half a head after an answer": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /", b"x"),
        "a body that nobody asked for": (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n",
            b"x",
        ),
    }
    ends = await asyncio.gather(*(closed_after(tokenserver, *way) for way in ways.values()))
    late = [name for name, (took_s, _) in zip(ways, ends, strict=True) if took_s >= CLOSED_WITHIN_S]
    assert late == []
    answers = dict(zip(ways, (answer for _, answer in ends), strict=True))
    assert status_of(answers["a body without end"]) == 408
    assert status_of(answers["a chunk without end"]) == 408
    assert status_of(answers["after an answer"]) == 200


@pytest.mark.parametrize("is_followed", [True, False], ids=["behind a stream", "alone"])
async def test_a_head_has_an_end(
    tokenserver: TokenServer, http: httpx2.AsyncClient, is_followed: bool
) -> None:
    """Attack 35: a head of 10 MB, alone or behind a request that is still being answered. A 400 or
    a closed connection once it is longer than any head."""
    session = await start(http, [])
    follow = (
        f"GET /api/session/{session['sessionId']}/events HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {session['sessionSecret']}\r\n\r\n"
    )
    sent_bytes = 0
    async with asyncio.timeout(60), connection(tokenserver.url) as (reader, writer):
        reading = asyncio.create_task(reader.read())
        writer.write((follow if is_followed else "").encode() + b"GET / HTTP/1.1\r\nHost: x\r\n")
        with suppress(ConnectionError):
            while sent_bytes < 10_000_000 and not reading.done():
                writer.write(b"X-A: " + b"x" * 4000 + b"\r\n")
                await writer.drain()
                sent_bytes += 4007
        with suppress(ConnectionError):
            answer = await reading
            assert b"400 Bad Request" in answer
    # What the kernel holds on its way counts, too.
    assert sent_bytes < 10_000_000
    await http.post("/api/session/stop", json={"sessionId": session["sessionId"]}, headers=ADMIN)


async def test_trailers_are_no_headers(tokenserver: TokenServer) -> None:
    """Attack 30: proof behind the body, where no proxy looks. It does not count."""
    key = ADMIN["Authorization"]
    answer = await spoken(
        tokenserver.url,
        b"POST /api/pool/resize HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'a\r\n{"size": 2\r\n1\r\n}\r\n0\r\nAuthorization: ' + key.encode() + b"\r\n\r\n",
    )
    assert status_of(answer) == 401


async def test_who_waits_has_few_places(
    limited: TokenServer, limited_http: httpx2.AsyncClient
) -> None:
    """Attack 35: more idle streams than there are places, in all and for one address.

    429 for the address, 503 for all others once every place is taken, both with `Retry-After`;
    calls that do not wait are answered, and the streams that are open go on.
    """
    started: Started = []
    session = await start(limited_http, started)
    path, owner = f"/api/session/{session['sessionId']}", bearer(session["sessionSecret"])
    async with AsyncExitStack() as stack:

        async def follow(http: httpx2.AsyncClient) -> httpx2.Response:
            request = http.stream("GET", f"{path}/events", headers=owner)
            answer = await stack.enter_async_context(request)
            if answer.status_code != 200:
                await answer.aread()
            return answer

        one = await stack.enter_async_context(calling_from(limited.url, "127.0.35.1"))
        two = await stack.enter_async_context(calling_from(limited.url, "127.0.35.2"))
        open_ = [await follow(one) for _ in range(WATCHERS_PER_ADDRESS)]
        assert {answer.status_code for answer in open_} == {200}
        refused = await follow(one)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) >= 1
        more = [await follow(two) for _ in range(WATCHERS - WATCHERS_PER_ADDRESS)]
        assert {answer.status_code for answer in more} == {200}
        full = await follow(two)
        assert (full.status_code, full.json()["error"]["code"]) == (503, "too_many_watchers")
        assert int(full.headers["Retry-After"]) >= 1
        poll = await two.get(path, params={"wait": 5}, headers=owner)
        assert poll.status_code == 503
        assert (await two.get(path, headers=owner)).status_code == 200
        stopped = await two.post(
            "/api/session/stop", json={"sessionId": session["sessionId"]}, headers=owner
        )
        assert stopped.status_code == 200
        for answer in (*open_, *more):
            async with asyncio.timeout(20):
                last = (await answer.aread()).decode()
            assert '"status":"ended"' in last or '"status":"ending"' in last
    async with calling_from(limited.url, "127.0.35.3") as http:
        next_ = await start(http, started)
        path, owner = f"/api/session/{next_['sessionId']}", bearer(next_["sessionSecret"])

        async def is_free() -> bool:
            return (await http.get(f"{path}?wait=0.1", headers=owner)).status_code == 200

        await eventually(is_free)
        await http.post("/api/session/stop", json={"sessionId": next_["sessionId"]}, headers=owner)


async def test_connections_end_somewhere(limited: TokenServer) -> None:
    """Attack 35: more idle connections than CONNECTIONS_LIMIT, while a session is being followed.

    New calls are 503; the stream goes on; and once the idle ones are closed, all is as before.
    """
    async with calling_from(limited.url, "127.0.35.4") as http, AsyncExitStack() as stack:
        started: Started = []
        session = await start(http, started)
        owner = bearer(session["sessionSecret"])
        path = f"/api/session/{session['sessionId']}/events"
        stream = await stack.enter_async_context(http.stream("GET", path, headers=owner))
        events = stream.aiter_lines()
        async with AsyncExitStack() as idle:
            for _ in range(CONNECTIONS):
                await idle.enter_async_context(connection(limited.url))

            async def is_full() -> bool:
                async with httpx2.AsyncClient(base_url=limited.url, verify=NO_TLS) as late:
                    return (await late.get("/healthz")).status_code == 503

            await eventually(is_full)
            async with asyncio.timeout(20):
                assert (await anext(events)).startswith("retry:")

        async def is_open() -> bool:
            async with httpx2.AsyncClient(base_url=limited.url, verify=NO_TLS) as late:
                return (await late.get("/healthz")).status_code == 200

        await eventually(is_open)
        await http.post(
            "/api/session/stop", json={"sessionId": session["sessionId"]}, headers=owner
        )
        async with asyncio.timeout(20):
            rest = [line async for line in events]
        assert any('"status":"ended"' in line or '"status":"ending"' in line for line in rest)
