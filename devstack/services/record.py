"""What a running stack leaves for others to find.

`.run/stack.lock` is locked as long as the stack's process lives: the kernel lets go of it however
that process ends, so "is one running?" has one answer. It also lists the processes, so that a stack
that was killed can be cleaned up after. `.run/stack.json` is there while all services are ready.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from devstack.errors import AlreadyRunning, LeftoversRemain, NotRunning
from devstack.files import read_json, try_lock, write_private
from devstack.services.identity import ProcessId

LEFTOVERS_WITHIN_S = 10.0
KILLED_WITHIN_S = 10.0
POLL_S = 0.1
PROBES_WITHIN_S = 0.5


def lock_path(run_dir: Path) -> Path:
    """Return the path of the lock."""
    return run_dir / "stack.lock"


def stack_file(run_dir: Path) -> Path:
    """Return the path of the description for scripts."""
    return run_dir / "stack.json"


@dataclass(frozen=True)
class Holder:
    """The process of a stack and those of its services, as the lock file lists them."""

    process: ProcessId
    services: Mapping[str, ProcessId]


class StackLock:
    """Held by the one stack of a checkout, for its lifetime."""

    def __init__(self, run_dir: Path, file: TextIO) -> None:
        self._run_dir = run_dir
        self._file = file

    @classmethod
    def acquire(cls, run_dir: Path) -> tuple[Self, bool]:
        """Take the lock; also return whether an earlier stack had ended without cleaning up.

        What such a stack left is gone when this returns. Raises `AlreadyRunning` or
        `LeftoversRemain`.
        """
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_dir.chmod(0o700)  # others may have made it, or an older version
        file = lock_path(run_dir).open("a+")
        if not _lock_soon(file):
            holder = read_holder(run_dir)
            file.close()
            pid = f" (pid {holder.process.pid})" if holder else ""
            raise AlreadyRunning(
                f"a stack of this checkout runs already{pid}. `make status` shows it, "
                "`make stop` stops it."
            )
        try:
            was_unclean = _clean_up(run_dir)
        except LeftoversRemain:
            file.close()
            raise
        lock = cls(run_dir, file)
        lock.note({})
        return lock, was_unclean

    def note(self, pids: Mapping[str, int]) -> None:
        """Write down the processes there are."""
        content = {
            "stack": ProcessId.of(os.getpid()).as_json(),
            "services": {name: ProcessId.of(pid).as_json() for name, pid in pids.items()},
        }
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(content))
        self._file.flush()

    def publish(self, description: Mapping[str, object]) -> None:
        """Write `stack.json`, which holds keys, for this user's scripts."""
        write_private(stack_file(self._run_dir), json.dumps(description, indent=2) + "\n")

    def release(self) -> None:
        """Remove the traces, then let go."""
        stack_file(self._run_dir).unlink(missing_ok=True)
        self._file.seek(0)
        self._file.truncate()
        self._file.close()


def _lock_soon(file: TextIO) -> bool:
    """Try for a moment: `is_running` holds the lock for some microseconds, too."""
    ends_at = time.monotonic() + PROBES_WITHIN_S
    while not (is_ours := try_lock(file)) and time.monotonic() < ends_at:
        time.sleep(POLL_S)
    return is_ours


def is_running(run_dir: Path) -> bool:
    """Say whether a stack holds the lock."""
    try:
        with lock_path(run_dir).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_holder(run_dir: Path) -> Holder | None:
    """Return who holds the lock, or held it last and did not clean up."""
    content = read_json(lock_path(run_dir)) or {}
    process = ProcessId.from_json(content.get("stack"))
    services = content.get("services")
    if process is None or not isinstance(services, dict):
        return None
    found = {name: ProcessId.from_json(value) for name, value in services.items()}
    return Holder(process, {name: one for name, one in found.items() if one is not None})


def read_stack(run_dir: Path) -> dict[str, object] | None:
    """Return the description of the running stack; None when there is none, or a stale one."""
    return read_json(stack_file(run_dir)) if is_running(run_dir) else None


def require_stack(run_dir: Path) -> dict[str, object]:
    """Return the description of the running stack. Raises `NotRunning`."""
    description = read_stack(run_dir)
    if description is None:
        if is_running(run_dir):
            raise NotRunning("the stack is starting or stopping: try again when it is ready.")
        raise NotRunning("no stack runs: start one with `make run`, and leave it running.")
    return description


def damaged() -> NotRunning:
    """Return what is raised where the description lacks something."""
    return NotRunning("stack.json is damaged: `make stop`, then `make run`.")


def _clean_up(run_dir: Path) -> bool:
    """Wait for what a killed stack left to go, as it does by itself, and help it after a while."""
    stack_file(run_dir).unlink(missing_ok=True)
    holder = read_holder(run_dir)
    if holder is None:
        return False
    began = time.monotonic()
    while left := [one for one in holder.services.values() if one.is_alive()]:
        waited_s = time.monotonic() - began
        if waited_s > LEFTOVERS_WITHIN_S + KILLED_WITHIN_S:
            pids = " ".join(str(process.pid) for process in left)
            raise LeftoversRemain(
                "the last stack was killed, and processes that it left cannot be ended: "
                f"`kill -9 {pids}` as the user who ran it, then start again."
            )
        if waited_s > LEFTOVERS_WITHIN_S:
            for process in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        time.sleep(POLL_S)
    return True
