"""Files that others may read while they are written, and files that nobody else may read."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOCK_POLL_S = 0.1


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it, from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """Return the object in a file; None when there is no such file or no object in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def file_lock(path: Path, when_waiting: Callable[[float, str], None]) -> Iterator[None]:
    """Hold a lock that other processes respect; it ends with this process.

    While another process has it, `when_waiting` is told how many seconds that has taken, and the
    pid of that process ("?" for a moment).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.monotonic()
    with path.open("a") as file:
        while not try_lock(file):
            when_waiting(time.monotonic() - began, path.read_text(encoding="utf-8").strip() or "?")
            time.sleep(LOCK_POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def try_lock(file: TextIO) -> bool:
    """Take the lock of an open file, if no other process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
