"""Processes that do not get warm, for want of a file or because they die: the worker holds on."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sessions.states import State
from tests.integration.worker.fleet import CALL_S, READY_S, Fleet, WorkerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

#: What the framework logs before it makes a process warm.
STARTS = '"message": "initializing process"'
FAILS = '"message": "a process did not start'
NOT_READY = "processes do not start"
in_both = pytest.mark.parametrize("isolation", ["process", "shared"])

#: Python runs this at its start; what the process of the framework forks dies at once.
DIES_AT_START = """
import os

def die():
    if os.path.exists(os.environ["TEST_DIES_IF"]):
        os._exit(7)

os.register_at_fork(after_in_child=die)
"""

#: A tool that nobody can import, but in the worker process.
RAISES_IN_JOBS = """
import multiprocessing
import os

if multiprocessing.parent_process() is not None and os.path.exists(os.environ["TEST_DIES_IF"]):
    raise OSError("no such machine")


def ring() -> str:
    "Ring the bell."
    return "It rings."
"""


class Breakage:
    """Something that a process needs, and that a test takes away and brings back."""

    def __init__(self, variables: dict[str, str], hurt: Callable[[], None]) -> None:
        self.variables = variables
        self.hurt = hurt
        self.heal: Callable[[], None] = lambda: None


@pytest.fixture(params=["raises", "dies"])
def breakage(request: pytest.FixtureRequest, tmp_path: Path) -> Breakage:
    """Prewarming raises, since a tool does; or the process dies."""
    mark = tmp_path / "die"
    variables = {"TEST_DIES_IF": str(mark)}
    if request.param == "raises":
        (tmp_path / "tool.py").write_text(RAISES_IN_JOBS)
        variables["TOOLS_DIR"] = str(tmp_path)
    else:
        (tmp_path / "sitecustomize.py").write_text(DIES_AT_START)
        variables["PYTHONPATH"] = str(tmp_path)
    broken = Breakage(variables, mark.touch)
    broken.heal = mark.unlink
    return broken


def pids(worker: WorkerProcess) -> list[int]:
    """Return the processes it has begun to make warm, the first one first."""
    return [int(pid) for pid in re.findall(STARTS + r'.*?"pid": (\d+)', worker.log.read_text())]


def count(worker: WorkerProcess, text: str) -> int:
    return worker.log.read_text().count(text)


@in_both
async def test_they_are_tried_less_and_less_often_and_it_recovers_by_itself(
    fleet: Fleet, breakage: Breakage, isolation: str
) -> None:
    """1. A worker is ready. 2. Processes do not start any more, and the warm ones die. 3. After a
    few tries they do again.

    Result: tries after 1, 2 and 4 s, where the framework makes 5 a second; each is logged, with the
    next one; meanwhile `/readyz` names the reason and calls are declined. Then it is ready.
    """
    variables = breakage.variables | {"ISOLATION": isolation}
    worker = await fleet.start_worker(until_ready=True, **variables)
    warm = pids(worker)
    breakage.hurt()
    for pid in warm:
        os.kill(pid, signal.SIGKILL)

    async def has_failed(times: int) -> bool:
        return count(worker, FAILS) >= times

    await eventually(lambda: has_failed(2), READY_S)
    assert NOT_READY in (await worker.ask("/readyz")).json()["reasons"]
    call = await fleet.start_call()
    await eventually(lambda: worker.has_logged('"answer": "decline"'), CALL_S)
    await eventually(lambda: has_failed(4), READY_S)
    # The first failure is the death of the warm one.
    delays = re.findall(r'"failures": (\d+), "retry_after_s": ([\d.]+)', worker.log.read_text())
    assert delays == [("1", "1.0"), ("2", "2.0"), ("3", "4.0"), ("4", "8.0")]
    # One that is dead before the framework has handed it over is a failure without a pid.
    assert len(pids(worker)) <= 4 * len(warm)
    assert (await call.look()).status is State.STARTING
    breakage.heal()
    await eventually(lambda: worker.answers("/readyz", 200), READY_S)
    assert await worker.has_logged("processes start again")
    other = await fleet.start_call()
    await other.until(State.READY)


@in_both
async def test_a_worker_that_never_had_a_warm_one_recovers_too(
    fleet: Fleet, breakage: Breakage, isolation: str
) -> None:
    """It is not known to LiveKit yet: the framework registers once its pool is warm."""
    breakage.hurt()
    variables = breakage.variables | {"ISOLATION": isolation}
    worker = await fleet.start_worker(until_ready=False, **variables)

    async def has_failed() -> bool:
        return count(worker, FAILS) >= 2

    await eventually(has_failed, READY_S)
    assert NOT_READY in (await worker.ask("/readyz")).json()["reasons"]
    breakage.heal()
    await eventually(lambda: worker.answers("/readyz", 200), READY_S)


@in_both
async def test_warm_ones_that_die_are_replaced(fleet: Fleet, isolation: str) -> None:
    """Each by one: there is one with a process for each call, and two where they are shared."""
    worker = await fleet.start_worker(ISOLATION=isolation)
    first = pids(worker)
    assert len(first) == (2 if isolation == "shared" else 1)
    for pid in first:
        os.kill(pid, signal.SIGKILL)

    async def are_replaced() -> bool:
        return len(pids(worker)) == 2 * len(first) and await worker.answers("/readyz", 200)

    await eventually(are_replaced, READY_S)
    await asyncio.sleep(0.5)
    assert len(pids(worker)) == 2 * len(first)
