"""The worker as a process: how it starts, what it says of itself, how it ends."""

from __future__ import annotations

import signal

import psutil  # type: ignore[import-untyped]
import pytest

from sessions.states import State
from tests.integration.worker.fleet import (
    CALL_S,
    READY_S,
    Fleet,
    Worker,
    WorkerProcess,
    until_gone,
)
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

NOWHERE = "ws://127.0.0.1:1"


def origin_of_jobs(worker: psutil.Process) -> psutil.Process:
    """Return the process that job processes are forked from."""
    return max(worker.children(), key=lambda child: len(child.children()))


async def test_it_tells_what_it_is(fleet: Fleet, own_worker: WorkerProcess) -> None:
    assert (await own_worker.ask("/healthz")).status_code == 200
    assert (await own_worker.ask("/readyz")).json() == {"ready": True, "reasons": []}
    described = (await own_worker.ask("/worker")).json()
    assert described["livekitWorkerId"].startswith("AW_")
    del described["livekitWorkerId"], described["id"], described["version"]
    assert described == {
        "agentName": fleet.agent_name,
        "active": 0,
        "idle": 1,
        "poolTarget": 1,
        "capacity": 50,
        "draining": False,
    }


async def test_without_livekit_it_lives_but_is_not_ready_and_gives_up_with_status_1(
    fleet: Fleet,
) -> None:
    worker = await fleet.start_worker(
        until_ready=False, LIVEKIT_URL=NOWHERE, LIVEKIT_GIVE_UP_AFTER_S="8"
    )

    async def is_warm() -> bool:
        ready = await worker.ask("/readyz")
        assert ready.status_code == 503
        return bool(ready.json()["reasons"] == ["not registered with LiveKit"])

    await eventually(lambda: worker.answers("/healthz", 200), CALL_S)
    await eventually(is_warm, CALL_S)
    assert (await worker.ask("/healthz")).status_code == 200
    assert await worker.exit_status() == 1
    assert '"message": "worker failed"' in worker.log.read_text()


async def test_unusable_settings_are_named_but_not_shown(fleet: Fleet) -> None:
    worker = await fleet.start_worker(until_ready=False, LIVEKIT_API_SECRET="too-short")
    assert await worker.exit_status() == 2
    output = worker.log.read_text()
    assert "LIVEKIT_API_SECRET" in output
    assert "too-short" not in output
    assert "Traceback" not in output


async def test_a_port_that_is_taken_is_named_in_one_line(fleet: Fleet, worker: Worker) -> None:
    port = worker.url.rpartition(":")[2]
    second = await fleet.start_worker(until_ready=False, WORKER_PORT=port)
    assert await second.exit_status() == 1
    output = second.log.read_text()
    assert "address already in use" in output
    assert "Traceback" not in output


async def test_a_full_worker_declines_and_is_still_ready(fleet: Fleet) -> None:
    """1. A worker for one call has one. 2. Another call comes.

    Result: it is declined, the first goes on, and `/readyz` stays 200: nothing is wrong.
    """
    worker = await fleet.start_worker(WORKER_CAPACITY="1")
    first = await fleet.start_call()
    await first.until(State.READY)
    second = await fleet.start_call()
    await eventually(lambda: worker.has_logged('"answer": "decline"'), CALL_S)
    assert (await second.look()).status is State.STARTING
    assert (await first.look()).status is State.READY
    assert (await worker.ask("/readyz")).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_worker_stops_at_once_and_leaves_no_process(
    own_worker: WorkerProcess, number: signal.Signals
) -> None:
    children = own_worker.descendants()
    assert len(children) >= 2
    own_worker.process.send_signal(number)
    assert await own_worker.exit_status() == 0
    await until_gone(children)


async def test_a_killed_worker_leaves_no_process(own_worker: WorkerProcess) -> None:
    """Nothing of it is told: the process that forks the others, and they, see that it is gone."""
    children = own_worker.descendants()
    own_worker.process.kill()
    await own_worker.exit_status()
    await until_gone(children)


async def test_job_processes_are_forked_from_what_the_worker_has_imported(fleet: Fleet) -> None:
    """1. The process that forks those of jobs, one for each, is itself a fork, with nothing of the
    worker's open. 2. It is killed.

    Result: 2. Calls are answered: by the process that was warm, and by one from another origin,
    which Python starts in its usual way.
    """
    own_worker = await fleet.start_worker(ISOLATION="process")
    worker = psutil.Process(own_worker.process.pid)
    origin = origin_of_jobs(worker)
    assert origin.cmdline() == worker.cmdline()
    assert own_worker.url.rpartition(":")[2] not in str(origin.net_connections())
    origin.kill()
    await until_gone([origin])
    first = await fleet.start_call()
    await first.until(State.READY)

    async def is_replaced() -> bool:
        return bool(origin_of_jobs(worker).children())

    await eventually(is_replaced, READY_S)
    assert origin_of_jobs(worker).cmdline() != worker.cmdline()
    await own_worker.until_idle()
    second = await fleet.start_call()
    await second.until(State.READY)
    assert (await first.look()).agent_pid != (await second.look()).agent_pid


async def test_a_second_signal_forces(fleet: Fleet, own_worker: WorkerProcess) -> None:
    call = await fleet.start_call()
    await call.until(State.READY)
    children = own_worker.descendants()
    own_worker.process.terminate()
    await eventually(lambda: _is_draining(own_worker), CALL_S)
    own_worker.process.terminate()
    assert await own_worker.exit_status() == 128 + signal.SIGTERM
    await until_gone(children)


async def _is_draining(worker: WorkerProcess) -> bool:
    ready = (await worker.ask("/readyz")).json()
    return "draining" in ready["reasons"]
