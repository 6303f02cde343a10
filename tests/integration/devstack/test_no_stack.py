"""Commands that need a running stack, without one."""

from __future__ import annotations

import pytest

from tests.integration.devstack.conftest import NewStack

commands = pytest.mark.parametrize("command", ["web-dev", "observe"])


@commands
def test_without_a_stack_it_says_how_to_start_one(new_stack: NewStack, command: str) -> None:
    done = new_stack("healthy").command(command)
    assert done.returncode == 1
    assert done.stdout == "error: no stack runs: start one with `make run`, and leave it running.\n"


@commands
def test_a_stack_that_is_not_ready_yet_is_no_missing_one(new_stack: NewStack, command: str) -> None:
    stack = new_stack("unready")
    stack.start()
    stack.until_output("livekit      ready")
    done = stack.command(command)
    assert done.returncode == 1
    assert "the stack is starting or stopping: try again when it is ready." in done.stdout
