"""However a stack ends, no process is left. Each test is a story with a result."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from devstack.services.record import stack_file
from tests.integration.devstack.conftest import NewStack


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_first_signal_stops_in_order(new_stack: NewStack, number: signal.Signals) -> None:
    """1. A stack runs; one service has a child that left its session and ignores SIGTERM.
    2. It gets Ctrl-C, SIGTERM, or its terminal is closed.
    Result: the last started service stops first, Redis last; nothing is left; status 0.
    """
    stack = new_stack("parent,healthy")
    stack.start()
    stack.until_ready()
    assert len(stack.processes()) > 5

    stack.signal(number)

    assert stack.wait() == 0
    stopped = [line.split()[0] for line in stack.output.splitlines() if " stopped " in line]
    assert stopped == ["healthy", "parent", "livekit", "redis"]
    assert not stack_file(stack.run_dir).exists()
    stack.assert_no_process_is_left()


def test_second_signal_kills(new_stack: NewStack) -> None:
    """1. A service ignores SIGTERM and may take 90 s to stop.
    2. Ctrl-C; the stack waits for it. 3. Ctrl-C again.
    Result: it is killed at once; nothing is left.
    """
    stack = new_stack("stubborn")
    stack.start()
    stack.until_ready()
    stack.signal(signal.SIGINT)
    stack.until_output("Stopping")

    stack.signal(signal.SIGINT)

    assert stack.wait() == 0
    assert "killed" in stack.output
    stack.assert_no_process_is_left()


def test_signal_while_starting(new_stack: NewStack) -> None:
    """1. A stack starts; its last service does not get ready yet. 2. Ctrl-C.
    Result: what was started is stopped; nothing is left.
    """
    stack = new_stack("parent,unready")
    stack.start()
    stack.until_output("parent       ready")

    stack.signal(signal.SIGINT)

    assert stack.wait() == 0
    stack.assert_no_process_is_left()


def test_killed_stack(new_stack: NewStack) -> None:
    """1. A stack runs, one of its services ignores SIGTERM. 2. kill -9 for the stack's process.
    Result: its services are gone soon, the stubborn one and its like included.
    """
    stack = new_stack("parent,stubborn")
    stack.start()
    stack.until_ready()

    stack.signal(signal.SIGKILL)

    assert stack.wait() == -signal.SIGKILL
    stack.assert_no_process_is_left()


def test_killed_leashes(new_stack: NewStack) -> None:
    """1. A stack runs. 2. kill -9 for every leash, the processes that hold the services.
    Result: the services die with them; the stack says that one is gone and ends with status 1.
    """
    stack = new_stack("healthy")
    stack.start()
    stack.until_ready()

    for pid, command in stack.processes().items():
        if "leash.py" in command:
            with suppress(ProcessLookupError):  # the stack has stopped it already, for the others
                os.kill(pid, signal.SIGKILL)

    assert stack.wait() == 1
    stack.assert_no_process_is_left()
