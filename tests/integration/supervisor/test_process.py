"""`python -m supervisor`: the supervision in a process of its own."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack.settings import REPO
from rooms.settings import RoomSettings
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from telemetry.tracing import dispatch_span, root_span, trace_id
from tests.integration.sessions.conftest import agent
from tests.integration.supervisor.conftest import Media, line_up
from tests.support.otlp import receiver
from tests.support.plain import NO_TLS
from tests.support.servers import LiveKitServer, RedisServer, neutral_environment
from tests.support.wait import eventually

EXIT_S = 30.0
READY_S = 60.0


class Process:
    """One of them, and what it logged."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self._log = process, log

    @property
    def told(self) -> str:
        return self._log.read_text()

    def lines(self, message: str) -> list[dict[str, Any]]:
        told = (json.loads(line) for line in self.told.splitlines() if line[:1] == "{")
        return [line for line in told if line["message"] == message]

    async def ask(self, path: str) -> httpx2.Response:
        """Ask its own endpoint, whose port the log tells."""

        async def listens() -> bool:
            return bool(self.lines("supervises"))

        await eventually(listens, READY_S)
        port = self.lines("supervises")[-1]["port"]
        async with httpx2.AsyncClient(timeout=5, verify=NO_TLS) as http:
            return await http.get(f"http://127.0.0.1:{port}{path}")

    async def exit(self) -> int:
        async with asyncio.timeout(EXIT_S):
            return await self.process.wait()

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


Start = Callable[..., Coroutine[Any, Any, Process]]


@pytest.fixture
async def start(
    settings: StoreSettings,
    room_settings: RoomSettings,
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path: Path,
) -> AsyncIterator[Start]:
    environment = neutral_environment() | {
        "REDIS_URL": redis_server.url,
        "REDIS_PREFIX": settings.redis_prefix,
        "LIVEKIT_URL": livekit_server.url,
        "LIVEKIT_API_KEY": livekit_server.api_key,
        "LIVEKIT_API_SECRET": livekit_server.api_secret,
        "AGENT_NAME": room_settings.agent_name,
        "MAX_SESSIONS": "1",
        "LEADER_LEASE_S": "1",
        "SUPERVISOR_PORT": "0",
    }
    async with AsyncExitStack() as stack:

        async def run(**changes: str) -> Process:
            log = tmp_path / f"supervisor-{secrets.token_hex(4)}.log"
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "supervisor"),
                    cwd=REPO,
                    env=environment | changes,
                    stdout=output,
                    stderr=output,
                )
            started = Process(process, log)
            stack.push_async_callback(started.end)
            return started

        yield run


async def test_another_one_goes_on(start: Start, store: SessionStore, media: Media) -> None:
    """1. Two run, and a session is due. 2. The leader is killed, and a session is due. 3. The
    other one is told to stop.

    Result: both sessions get an agent; the second process ends with 0 and steps down.
    """
    current, first, second = await line_up(store, 2)
    killed = await start()
    await store.end(current.id)
    await eventually(lambda: media.is_sent(first.room), READY_S)
    await store.claim(first.id, 1, agent("AJ_1"))
    heir = await start()
    killed.process.send_signal(signal.SIGKILL)
    await store.end(first.id)
    await eventually(lambda: media.is_sent(second.room), READY_S)
    heir.process.send_signal(signal.SIGTERM)
    assert await heir.exit() == 0
    assert [len(one.lines("leads the supervision")) for one in (killed, heir)] == [1, 1]


async def test_it_tells_how_it_is(start: Start, store: SessionStore) -> None:
    del store
    one = await start()

    async def leads() -> bool:
        return bool((await one.ask("/healthz")).json()["leads"])

    await eventually(leads, READY_S)
    assert (await one.ask("/healthz")).json() == {"alive": True, "leads": True}
    answer = await one.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "voicefleet_supervisor_leads 1.0" in answer.text.splitlines()


async def test_it_tells_of_what_it_sends_in_the_sessions_trace(
    start: Start, store: SessionStore, media: Media
) -> None:
    """What was sent within the last moment is told at the end of the process."""
    current, waiting = await line_up(store, 1)
    async with receiver() as tempo:
        one = await start(OTEL_EXPORTER_OTLP_ENDPOINT=tempo.url)
        await store.end(current.id)
        await eventually(lambda: media.is_sent(waiting.room), READY_S)
        one.process.send_signal(signal.SIGTERM)
        assert await one.exit() == 0
    (sent,) = tempo.named("dispatch")
    assert (sent.trace, sent.parent) == (trace_id(waiting.id), root_span(waiting.id))
    assert sent.id == dispatch_span(waiting.id, 1)
    assert (sent.service, sent.attributes["voicefleet.reason"]) == (
        "voicefleet-supervisor",
        "admitted",
    )
    assert [opened.parent for opened in tempo.named("open room")] == [sent.id]


async def test_a_port_that_is_taken_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        one = await start(SUPERVISOR_PORT=str(port))
        assert await one.exit() == 1
    assert f"127.0.0.1:{port}" in one.told
    assert "SUPERVISOR_PORT" in one.told


async def test_it_says_what_is_wrong_with_its_settings(start: Start) -> None:
    one = await start(AGENT_LEASE_S="1", LIVEKIT_API_SECRET="")
    assert await one.exit() == 2
    assert "LIVEKIT_API_SECRET" in one.told
