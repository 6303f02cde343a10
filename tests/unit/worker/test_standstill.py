"""An event loop that stands still is told from a process that gets no time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from tests.support.wait import eventually_sync
from worker.host.shared.standstill import Standstill, Threads, read_threads

_LOOK_EVERY_S = 0.25


@dataclass
class Machine:
    """A clock that is set by hand, and a process on it."""

    now: float = 100.0
    cpu_s: float = 7.0
    is_busy: bool = True
    is_told: bool = True

    def threads(self, _: int) -> Threads | None:
        return Threads(is_any_busy=self.is_busy, cpu_s=self.cpu_s) if self.is_told else None

    def until_found(self, standstill: Standstill, *, cpu_share: float, answers: bool) -> float:
        """Look until it is found to stand still, 20 s at most; return after how long."""
        began = self.now
        while self.now - began < 20:
            if answers:
                standstill.turned()
            self.now += _LOOK_EVERY_S
            self.cpu_s += cpu_share * _LOOK_EVERY_S
            if standstill.look():
                break
        return self.now - began


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def standstill(machine: Machine) -> Standstill:
    return Standstill(1, clock=lambda: machine.now, read=machine.threads)


def test_one_that_answers_does_not_stand_still(machine: Machine, standstill: Standstill) -> None:
    assert machine.until_found(standstill, cpu_share=1.0, answers=True) == 20


def test_one_that_sleeps_is_found_soon(machine: Machine, standstill: Standstill) -> None:
    machine.is_busy = False
    assert machine.until_found(standstill, cpu_share=0.0, answers=False) <= 1.75


def test_one_that_computes_is_found_soon(machine: Machine, standstill: Standstill) -> None:
    assert machine.until_found(standstill, cpu_share=1.0, answers=False) <= 1.75


def test_one_that_gets_no_time_is_waited_for(machine: Machine, standstill: Standstill) -> None:
    assert 5.5 < machine.until_found(standstill, cpu_share=0.1, answers=False) <= 6.25


def test_where_the_system_does_not_tell_time_decides(
    machine: Machine, standstill: Standstill
) -> None:
    machine.is_told = False
    assert 5.5 < machine.until_found(standstill, cpu_share=1.0, answers=False) <= 6.25


def test_answers_count_anew(machine: Machine, standstill: Standstill) -> None:
    machine.is_busy = False
    for _ in range(4):
        machine.now += _LOOK_EVERY_S
        assert not standstill.look()
    standstill.turned()
    assert 1.25 < machine.until_found(standstill, cpu_share=0.0, answers=False) <= 1.75


def test_nobody_is_judged_for_the_time_that_we_were_away(
    machine: Machine, standstill: Standstill
) -> None:
    """1. Nobody has looked for 10 s: this process stood still itself."""
    machine.is_busy = False
    machine.now += 10
    assert not standstill.look()
    assert machine.until_found(standstill, cpu_share=0.0, answers=False) > 1.25


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux tells")
def test_how_a_process_is_can_be_read() -> None:
    """This one reads, and so is busy; another one waits."""
    before = read_threads(os.getpid())
    ends_at = time.process_time() + 0.05
    while time.process_time() < ends_at:
        pass
    after = read_threads(os.getpid())
    assert before is not None
    assert after is not None
    assert after.is_any_busy
    assert after.cpu_s >= before.cpu_s + 0.03
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as asleep:
        try:
            eventually_sync(lambda: _is_asleep(asleep.pid))
        finally:
            asleep.kill()


def _is_asleep(pid: int) -> bool:
    threads = read_threads(pid)
    return threads is not None and not threads.is_any_busy


def test_one_that_is_gone_tells_nothing() -> None:
    assert read_threads(2**22 + 1) is None
