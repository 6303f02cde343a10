"""One stack per checkout: found, shown, stopped and cleaned up after from other processes."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path

from devstack.services.record import lock_path, read_stack, stack_file
from tests.integration.devstack.conftest import NewStack
from tests.support.programs import StackProgram


def test_detach_status_stop(new_stack: NewStack) -> None:
    stack = new_stack("healthy")

    assert stack.start("--detach").wait(60) == 0
    assert stack_file(stack.run_dir).exists()
    assert "stop    make stop" in stack.output

    status = stack.command("status")
    assert status.returncode == 0
    assert re.search(r"healthy +ok +http://127.0.0.1:\d+ ", status.stdout)

    assert stack.command("stop").returncode == 0
    stack.assert_no_process_is_left()
    assert stack.command("status").returncode == 1
    again = stack.command("stop")
    assert (again.returncode, again.stdout) == (0, "No stack runs.\n")


def test_detach_that_fails(new_stack: NewStack) -> None:
    stack = new_stack("dying")

    assert stack.start("--detach").wait(60) == 1

    assert "error: dying ended with status 3" in stack.output
    stack.assert_no_process_is_left()


def test_detach_that_is_interrupted(new_stack: NewStack) -> None:
    stack = new_stack("parent,unready")
    stack.start("--detach")
    stack.until_output("parent       ready")

    stack.signal(signal.SIGINT)

    assert stack.wait() == 130
    assert "Stopping" in stack.output
    assert not stack_file(stack.run_dir).exists()
    stack.assert_no_process_is_left()


def test_status_while_starting_gives_no_wrong_advice(new_stack: NewStack) -> None:
    stack = new_stack("unready")
    stack.start()
    stack.until_output("livekit      ready")

    status = stack.command("status")

    assert (status.returncode, status.stdout) == (1, "The stack is starting or stopping.\n")


def test_status_names_the_sick(new_stack: NewStack) -> None:
    stack = new_stack("healthy")
    stack.start()
    stack.until_ready()
    description = json.loads(stack_file(stack.run_dir).read_text())
    description["services"][-1]["health"] = "http://127.0.0.1:1/readyz"
    stack_file(stack.run_dir).write_text(json.dumps(description))

    status = stack.command("status")

    assert status.returncode == 1
    assert re.search(r"healthy +nobody listens ", status.stdout)


def test_second_stack_is_refused(new_stack: NewStack) -> None:
    first = new_stack("healthy")
    first.start()
    first.until_ready()
    second = new_stack("healthy", {"VOICEFLEET_RUN_DIR": str(first.run_dir)})
    pid = json.loads(lock_path(first.run_dir).read_text())["stack"][0]

    second.start()

    assert second.wait() == 1
    assert f"runs already (pid {pid}). `make status` shows it, `make stop`" in second.output
    assert first.command("status").returncode == 0


def test_next_stack_cleans_up_after_a_killed_one(new_stack: NewStack) -> None:
    """The killed one's services may still be there: the next one waits for them to go."""
    first = new_stack("parent,stubborn")
    first.start()
    first.until_ready()
    first.signal(signal.SIGKILL)
    first.wait()
    assert stack_file(first.run_dir).exists()
    assert read_stack(first.run_dir) is None
    second = new_stack("healthy", {"VOICEFLEET_RUN_DIR": str(first.run_dir)})

    second.start()
    second.until_output("the last stack was killed; what it left is cleaned up")
    second.until_ready()

    stubborn = [pid for pid, command in first.processes().items() if "stubborn" in command]
    assert not stubborn


def test_secrets_stay_in_private_files(new_stack: NewStack) -> None:
    stack = new_stack("healthy")
    stack.start()
    stack.until_ready()
    secrets = json.loads((stack.run_dir / "secrets.json").read_text())
    hidden = [secrets["livekit_api_secret"], secrets["admin_key"]]

    for name in ("secrets.json", "stack.json", "livekit.yaml"):
        assert stat.S_IMODE((stack.run_dir / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.run_dir.stat().st_mode) == 0o700
    for secret in hidden:
        assert not [command for command in stack.processes().values() if secret in command]
        assert secret not in stack.output + logs_of(stack)

    stack.signal(signal.SIGTERM)
    stack.wait()
    stack.start()
    stack.until_ready()
    assert json.loads((stack.run_dir / "secrets.json").read_text()) == secrets


def logs_of(stack: StackProgram) -> str:
    logs: list[Path] = sorted((stack.run_dir / "logs").iterdir())
    return "".join(log.read_text(errors="replace") for log in logs)
