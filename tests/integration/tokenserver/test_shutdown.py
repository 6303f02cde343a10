"""A token server stops in good order: balancers notice first, and nobody's call breaks off."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import httpx2

from tests.integration.tokenserver.flow import Session, look, start, stop, until_watched
from tests.support.event_stream import following
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.replicas import Replicas
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually


async def test_balancers_notice_while_calls_are_still_served(replicas: Replicas) -> None:
    """1. SIGTERM. 2. `/readyz` says so. 3. Whoever is sent here nevertheless is served.

    Result: the process ends after that by itself, with status 0.
    """
    server = await replicas.start(SHUTDOWN_DELAY_S="6")
    http = await replicas.http(server)
    server.signal()
    await _until_stopping(http)
    assert (await http.get("/healthz")).status_code == 200
    session = await start(http)
    assert (await look(http, session))["status"] == "starting"
    await stop(http, session)
    assert await server.exit_status() == 0


async def test_who_waits_is_sent_home_in_good_order(replicas: Replicas) -> None:
    """1. One follows, one asks with patience. 2. SIGTERM.

    Result: the stream ends as streams do, with a hint when to come back; the long poll is answered
    with the session as it is; the process need not cut anybody off.
    """
    server = await replicas.start(SHUTDOWN_DELAY_S="1")
    http = await replicas.http(server)
    session = await start(http)
    async with following(http, session) as stream:
        await stream.until_status("starting")
        asking = asyncio.create_task(look(http, session, wait=30))
        await until_watched(http, 2)
        began = time.monotonic()
        server.signal()
        view = await asking
        await stream.until_ended()
    assert view["status"] == "starting"
    assert stream.retry_ms == 1000
    assert await server.exit_status() == 0
    assert time.monotonic() - began < 25
    assert "graceful shutdown exceeded" not in server.log.read_text()


async def test_who_asks_again_at_once_does_not_spin(replicas: Replicas) -> None:
    """1. SIGTERM, and the server goes on for a while. 2. One asks with patience, again and again.

    Result: each answer takes about a second, until the server is gone; none waits for a change.
    """
    server = await replicas.start(SHUTDOWN_DELAY_S="6")
    http = await replicas.http(server)
    session = await start(http)
    server.signal()
    await _until_stopping(http)
    answers = 0
    with suppress(httpx2.TransportError):
        while True:
            assert (await look(http, session, wait=30))["status"] == "starting"
            answers += 1
    assert 1 <= answers <= 12
    assert await server.exit_status() == 0


async def test_a_second_signal_does_not_wait(replicas: Replicas) -> None:
    server = await replicas.start(SHUTDOWN_DELAY_S="60")
    http = await replicas.http(server)
    server.signal()
    await _until_stopping(http)
    server.signal()
    # EXIT_S is half of the delay.
    assert await server.exit_status() == 0


async def test_a_request_under_way_is_finished(
    replicas: Replicas, livekit_server: LiveKitServer
) -> None:
    """1. LiveKit is slow. 2. A start is under way. 3. SIGTERM, without any delay.

    Result: the caller gets the session.
    """
    async with fault_proxy(livekit_server.port) as proxy:
        server = await replicas.start(
            LIVEKIT_URL=f"ws://127.0.0.1:{proxy.port}", LIVEKIT_TIMEOUT_S="20"
        )
        http, store = await replicas.http(server), await replicas.store()
        await proxy.switch(Fault.DELAY, delay_s=1)
        starting: asyncio.Task[Session] = asyncio.create_task(start(http))

        async def is_under_way() -> bool:
            return (await store.occupancy()).starting == 1

        await eventually(is_under_way)
        assert not starting.done()
        server.signal()
        assert (await starting)["status"] == "starting"
        assert await server.exit_status() == 0


async def _until_stopping(http: httpx2.AsyncClient) -> None:
    async def is_stopping() -> bool:
        answer = await http.get("/readyz")
        return answer.status_code == 503 and answer.json()["stopping"] is True

    await eventually(is_stopping)
