"""Calls that share a process: which they share, and what else they do not."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from sessions.states import State
from tests.integration.worker.fleet import CALL_S, READY_S, Call, Fleet, WorkerProcess, until_gone
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

_STANDS_STILL = "an event loop stands still"


@pytest.fixture
async def shared(fleet: Fleet) -> AsyncIterator[WorkerProcess]:
    """A worker of whose calls two share a process."""
    worker = await fleet.start_worker(
        ISOLATION="shared", SESSIONS_PER_PROCESS="2", POOL_SIZE="2", WORKER_CAPACITY="6"
    )
    yield worker
    await worker.stop()


async def started(fleet: Fleet, number: int) -> list[Call]:
    """Have so many calls, one after the other."""
    calls = [await fleet.start_call() for _ in range(number)]
    for call in calls:
        await call.until(State.READY)
    return calls


async def pid(call: Call) -> int:
    found = (await call.look()).agent_pid
    assert found is not None
    return found


async def neighbours(calls: list[Call]) -> tuple[list[Call], list[Call]]:
    """Return those in the process of the first, and the others."""
    home = await pid(calls[0])
    inside = [call for call in calls if await pid(call) == home]
    return inside, [call for call in calls if call not in inside]


async def test_two_share_a_process_and_a_third_has_another(
    fleet: Fleet, shared: WorkerProcess
) -> None:
    """1. Four calls. 2. One ends. 3. A fifth comes.

    Result: two processes hold the four, of which none ends with a call; the fifth needs none that
    was not there before. Warm places have a process, too.
    Each call's lines in the log are about that call.
    """
    calls = await started(fleet, 4)
    homes = {await pid(call) for call in calls}
    assert len(homes) == 2
    over, *others = calls
    await fleet.store.end(over.session_id)
    await over.until(State.ENDED)
    assert {(await call.look()).status for call in others} == {State.READY}
    there = {child.pid for child in shared.descendants()}
    assert homes < there
    (fifth,) = await started(fleet, 1)
    assert await pid(fifth) in there
    assert all(psutil.pid_exists(home) for home in homes)
    for call in calls:
        lines = shared.records_of(call)
        assert lines
        assert not [line for line in lines for other in calls if _is_of(line, call, other)]


def _is_of(line: str, call: Call, other: Call) -> bool:
    return other is not call and (other.room in line or other.session_id in line)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_a_process_takes_its_calls_with_it_and_no_others(
    fleet: Fleet, shared: WorkerProcess, number: signal.Signals
) -> None:
    """1. Four calls. 2. The process of two is killed, or stands still. 3. Another call comes.

    Result: the store knows at once that these two need other agents; the other calls were not
    touched, and the worker takes calls as before.
    """
    calls = await started(fleet, 4)
    inside, outside = await neighbours(calls)
    assert len(inside) == 2
    home = await pid(inside[0])
    os.kill(home, number)
    for call in inside:
        lost = await call.until(State.RECOVERING)
        assert (lost.epoch, lost.agent_pid) == (2, None)
    assert not psutil.pid_exists(home)
    assert await shared.has_logged(_STANDS_STILL) is (number is signal.SIGSTOP)
    await eventually(lambda: shared.answers("/readyz", 200), READY_S)
    await started(fleet, 1)
    for call in outside:
        session = await call.look()
        assert (session.status, session.epoch) == (State.READY, 1)


async def test_they_end_with_the_worker(fleet: Fleet, shared: WorkerProcess) -> None:
    """1. Two calls. 2. The worker is killed. Result: nothing of it is left."""
    await started(fleet, 2)
    children = shared.descendants()
    assert len(children) >= 3
    shared.process.kill()
    await until_gone(children)


async def test_surplus_processes_end_after_a_rush(fleet: Fleet, shared: WorkerProcess) -> None:
    """1. Six calls, in three processes or more. 2. All end.

    Result: two processes stay, warm; the worker's pool is as it was.
    """
    calls = await started(fleet, 6)
    homes = {await pid(call) for call in calls}
    assert len(homes) >= 3
    for call in calls:
        await fleet.store.end(call.session_id)
        await call.until(State.ENDED)

    async def are_few() -> bool:
        alive = [home for home in homes if psutil.pid_exists(home)]
        idle = (await shared.ask("/worker")).json()["idle"]
        return len(alive) <= 2 and idle == 2

    await eventually(are_few, CALL_S)


async def test_a_rush_of_places_is_taken_in(fleet: Fleet) -> None:
    """Thirty places are wanted in two processes in the same moment, and all are there."""
    worker = await fleet.start_worker(
        ISOLATION="shared", SESSIONS_PER_PROCESS="20", POOL_SIZE="30", WORKER_CAPACITY="40"
    )

    async def are_there() -> bool:
        return bool((await worker.ask("/worker")).json()["idle"] == 30)

    await eventually(are_there, READY_S)
    assert not await worker.has_logged("was not made warm")


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux names threads")
async def test_a_call_that_its_agent_ends_leaves_no_thread_behind(fleet: Fleet) -> None:
    """1. A call, whose agent has a track. 2. No user comes; the agent ends it.

    Result: the process stays, and the thread that gives out the agent's sound does not.
    With the room closed before the agent has left it, the thread stays as long as the process.
    """
    await fleet.start_worker(
        ISOLATION="shared", SESSIONS_PER_PROCESS="2", POOL_SIZE="2", NO_USER_TIMEOUT_S="4"
    )
    (call,) = await started(fleet, 1)
    home = await pid(call)
    assert _sound_sources(home) == 1
    await call.until(State.ENDED)

    async def is_gone() -> bool:
        return _sound_sources(home) == 0

    await eventually(is_gone, CALL_S)
    assert psutil.pid_exists(home)


def _sound_sources(pid: int) -> int:
    """Count the threads of a process that give out a call's sound (named so by libwebrtc)."""
    count = 0
    for name in Path(f"/proc/{pid}/task").glob("*/comm"):
        # A thread may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            count += name.read_text().startswith("AudioSource")
    return count
