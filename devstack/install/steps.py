"""Commands that are run to their end while a clock ticks. Standard library only."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack.errors import DevstackError
from devstack.files import file_lock
from devstack.logs import rotate, tail
from devstack.settings import LEASH
from devstack.terminal import Terminal

TICK_S = 0.2
INTERRUPTED_STOPS_WITHIN_S = 10.0


class StepFailed(DevstackError):
    """Raised when a command ends with another status than 0; `log_tail` has its last lines."""


def run_step(
    terminal: Terminal,
    name: str,
    state: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    log: Path | None = None,
    progress: Callable[[], str] = str,
    cwd: Path | None = None,
) -> float:
    """Run a command on a leash, so that it ends with us. Return how many seconds it took.

    Its output goes to `log`, or is forgotten unless it fails; `progress` is asked for a few words.
    """
    began = time.monotonic()
    with TemporaryDirectory() as scratch:
        output = log or Path(scratch) / "output"
        with _leashed(argv, env, output, cwd) as process:
            while (code := _wait_a_tick(process)) is None:
                terminal.clock(name, state, time.monotonic() - began, progress())
        if code != 0:
            program = Path(argv[0]).name
            raise StepFailed(f"{name}: {program} ended with status {code}", log_tail=tail(output))
    return time.monotonic() - began


@contextmanager
def install_lock(path: Path, terminal: Terminal, name: str) -> Iterator[None]:
    """Hold a lock over an installation. Whoever has to wait says so, and for whom."""
    waits_for = ""

    def wait(seconds: float, pid: str) -> None:
        nonlocal waits_for
        if pid not in {waits_for, "?"}:
            terminal.note(f"{name}: process {pid} is installing it; waiting until it is done")
            waits_for = pid
        terminal.clock(name, "waiting", seconds, f"for process {pid}")

    with file_lock(path, wait):
        yield


def _wait_a_tick(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(TICK_S)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _leashed(
    argv: Sequence[str], env: Mapping[str, str], output: Path, cwd: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command; leaving the block early ends it."""
    rotate(output)
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-I", "-S", str(LEASH), *argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            _interrupt(process)
            raise


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Stop a command, gently at first: a package manager is not to be cut off in the middle."""
    for command in (b"T", b"K"):
        if process.stdin is not None and process.poll() is None:
            process.stdin.write(command)
            process.stdin.flush()
            try:
                process.wait(INTERRUPTED_STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                continue
