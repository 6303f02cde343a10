"""The figures of calls at their worker: complete, of both kinds, and from nobody else."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from sessions.states import State
from telemetry import metrics
from telemetry.meter import Meter
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.figures import Page, read_page
from tests.support.wait import eventually
from worker.host.figures import figures_address, receiving

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("empty_store")]

LOST = "voicefleet_figures_lost_total"


async def page_of(worker: WorkerProcess) -> Page:
    return read_page((await worker.ask("/metrics")).text)


@pytest.mark.parametrize("isolation", ["process", "shared"])
async def test_a_call_is_measured(fleet: Fleet, isolation: str) -> None:
    """1. A user talks with an agent, and leaves.

    Result: each phase of the start is there once, by a warm process; the turns, the end, the time;
    what the process used; and what the worker knows by itself.
    """
    worker = await fleet.start_worker(ISOLATION=isolation)
    await worker.until_idle()
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        assert (await page_of(worker))["voicefleet_worker_calls", ()] == 1
        await caller.type("What is 30 plus 4?")

        async def is_answered() -> bool:
            page = await page_of(worker)
            return page["voicefleet_turns_total", (("role", "assistant"),)] >= 2

        await eventually(is_answered, CALL_S)
    await call.until(State.ENDED)

    async def is_told() -> Page:
        page = await page_of(worker)
        assert page["voicefleet_calls_total", (("verdict", "ended"),)] == 1
        return page

    page = await eventually(is_told, CALL_S)
    for phase in metrics.PHASE_DURATION.labels["phase"]:
        labels = (("phase", phase), ("warm", "true"))
        assert page["voicefleet_start_step_duration_seconds_count", labels] == 1, phase
    assert page["voicefleet_start_duration_seconds_count", (("warm", "true"),)] == 1
    assert page["voicefleet_queue_wait_seconds_count", ()] == 1
    assert page["voicefleet_turns_total", (("role", "assistant"),)] >= 2
    assert page["voicefleet_call_duration_seconds_count", ()] == 1
    assert page["voicefleet_job_cpu_seconds_total", ()] > 0
    assert page["voicefleet_job_processes", ()] >= 1
    assert page["voicefleet_worker_process_ready_seconds_count", ()] >= 1
    assert page[LOST, ()] == 0


async def test_a_process_that_dies_is_counted(fleet: Fleet) -> None:
    worker = await fleet.start_worker(ISOLATION="process")
    call = await fleet.start_call()
    async with call.join():
        session = await call.until(State.ACTIVE)
        assert session.agent_pid is not None
        os.kill(session.agent_pid, 9)

        async def is_counted() -> bool:
            return (await page_of(worker))["voicefleet_worker_crashes_total", ()] == 1

        await eventually(is_counted, CALL_S)


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"{}",
    b"[7]",
    b'[["voicefleet_calls_total", 1]]',
    b'[["voicefleet_calls_total", "1", {"verdict": "ended"}]]',
    b'[["voicefleet_calls_total", -1, {"verdict": "ended"}]]',
    b'[["voicefleet_calls_total", NaN, {"verdict": "ended"}]]',
    b'[["voicefleet_calls_total", Infinity, {"verdict": "ended"}]]',
    b'[["voicefleet_calls_total", true, {"verdict": "ended"}]]',
    b'[["voicefleet_calls_total", 1, {"verdict": "of my own"}]]',
    b'[["voicefleet_calls_total", 1, {"verdict": ["ended"]}]]',
    b'[["voicefleet_calls_total", 1, {}]]',
    b'[["voicefleet_calls_total", 1, {"verdict": "ended", "user": "ada"}]]',
    b'[["voicefleet_slots", 1, {}]]',
    b'[["no_such_metric", 1, {}]]',
    b"[" * 60_000,
]


@pytest.mark.parametrize(
    "hostile", HOSTILE, ids=lambda data: data[:60].decode("latin-1") or "empty"
)
async def test_what_is_not_in_the_table_changes_nothing_but_one_count(hostile: bytes) -> None:
    """Whatever a process sends, the page does not grow, and what comes afterwards is taken."""
    meter, address = Meter(metrics.OF_CALLS, metrics.WORKER_EVENTS), figures_address()
    before = read_page(meter.text().decode())
    async with receiving(address, meter):
        assert Path(address).parent.stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(address)
            sender.send(hostile)
            sender.send(json.dumps([["voicefleet_interruptions_total", 1, {}]]).encode())

            async def is_taken() -> bool:
                return read_page(meter.text().decode())["voicefleet_interruptions_total", ()] == 1

            await eventually(is_taken)
    after = read_page(meter.text().decode())
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {("voicefleet_interruptions_total", ()), (LOST, ())}
    assert after[LOST, ()] == 1
    assert not Path(address).parent.exists()


async def test_where_no_socket_can_be_made_calls_go_on(tmp_path: Path) -> None:
    meter = Meter(metrics.WORKER_EVENTS)
    async with receiving(str(tmp_path / "x" / "y" / "figures"), meter):
        assert b"voicefleet_figures_lost_total 0.0" in meter.text()
