"""LiveKit is away: the worker comes back to it, or gives up when it was told to; calls go on.

The worker's own connection is cut by a door that lets everybody else in: those of calls, and ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sessions.states import State
from tests.integration.worker.fleet import CALL_S, READY_S, Fleet, WorkerProcess
from tests.integration.worker.test_drain import said
from tests.support.gate import Gate, gate_before
from tests.support.provider import Provider
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

AGENT_SOCKET = b"GET /agent"
AWAY = ["not registered with LiveKit"]


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
async def door(fleet: Fleet, provider: Provider) -> AsyncIterator[Gate]:
    """What the workers of the test reach LiveKit through."""
    async with gate_before(fleet.server.port) as gate:
        fleet.environment = fleet.environment | {
            "LIVEKIT_URL": f"ws://127.0.0.1:{gate.port}",
            "OPENAI_BASE_URL": provider.url,
        }
        yield gate


async def _says(worker: WorkerProcess, reasons: list[str]) -> bool:
    ready = await worker.ask("/readyz")
    assert ready.status_code == (503 if reasons else 200)
    return bool(ready.json()["reasons"] == reasons)


async def _attempts(worker: WorkerProcess, number: int) -> bool:
    return f'"attempts": {number}' in worker.log.read_text()


async def test_it_comes_back_and_calls_go_on_meanwhile(
    fleet: Fleet, door: Gate, provider: Provider
) -> None:
    """1. Somebody talks. 2. The worker loses LiveKit, and fails to reach it four times.
    3. LiveKit is back.

    Result: alive all the time, and not ready while it is away; the call is answered throughout.
    Then it is ready under a new id, and takes a call.
    """
    worker = await fleet.start_worker()
    before = (await worker.ask("/worker")).json()
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        door.bar(AGENT_SOCKET)
        await eventually(lambda: _says(worker, AWAY), CALL_S)
        await eventually(lambda: _attempts(worker, 4), CALL_S)
        assert (await worker.ask("/healthz")).status_code == 200
        assert await _says(worker, AWAY)
        provider.reply = "I am here."
        await caller.type("Are you there?")
        await said(caller, "I am here.")
        door.bar(None)
        await eventually(lambda: _says(worker, []), READY_S)
        after = (await worker.ask("/worker")).json()
        assert (after["id"], after["active"]) == (before["id"], 1)
        assert after["livekitWorkerId"] != before["livekitWorkerId"]
        second = await fleet.start_call()
        await second.until(State.READY)
    assert (await call.until(State.ENDED, State.FAILED)).status is State.ENDED
    assert "Traceback" not in worker.log.read_text()


async def test_it_gives_up_after_the_time_it_was_told_and_drains(
    fleet: Fleet, door: Gate, provider: Provider
) -> None:
    """1. Somebody talks. 2. LiveKit is away for longer than the worker bears.

    Result: it drains as after a signal, so that the call can end by itself; status 1.
    """
    worker = await fleet.start_worker(LIVEKIT_GIVE_UP_AFTER_S="2")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        door.bar(AGENT_SOCKET)
        await eventually(lambda: worker.has_logged('"message": "worker failed"'), CALL_S)
        assert (await worker.ask("/healthz")).status_code == 200
        assert await _says(worker, ["draining", *AWAY])
        provider.reply = "I am here."
        await caller.type("Are you there?")
        await said(caller, "I am here.")
    assert await worker.exit_status() == 1
    assert (await call.until(State.ENDED, State.FAILED)).status is State.ENDED
    assert "LiveKit was away for 2 s" in worker.log.read_text()


async def test_a_short_absence_starts_the_clock_anew(fleet: Fleet, door: Gate) -> None:
    """1. LiveKit is away for a moment, twice. 2. Then for good.

    Result: it comes back twice, and gives up the third time.
    """
    worker = await fleet.start_worker(LIVEKIT_GIVE_UP_AFTER_S="15")
    for _ in range(2):
        door.bar(AGENT_SOCKET)
        await eventually(lambda: _says(worker, AWAY), CALL_S)
        door.bar(None)
        await eventually(lambda: _says(worker, []), CALL_S)
    door.bar(AGENT_SOCKET)
    assert await worker.exit_status() == 1
