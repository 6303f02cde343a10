"""Run something in the background, but stay until it is ready."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from devstack.logs import rotate

INTERRUPTED = 130


def run_detached(work: Callable[[Callable[[], None]], int], log: Path) -> int:
    """Run `work` in a process of a session of its own; return 0 when it says it is ready.

    `work` gets the function to say so with; until then it writes to our terminal, after that to
    `log`. When it ends instead, its exit status is returned. An interrupt meanwhile stops it, which
    takes a moment, and the status is `INTERRUPTED`.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(work, writing, log)
    os.close(writing)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    is_interrupted = False
    while True:
        try:
            if os.read(reading, 1) and not is_interrupted:
                return 0
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except KeyboardInterrupt:
            is_interrupted = True
            os.kill(child, signal.SIGTERM)
        else:
            return INTERRUPTED if is_interrupted else status


def _be_child(work: Callable[[Callable[[], None]], int], writing: int, log: Path) -> None:
    """Never returns: what the parent still has to do is the parent's."""
    status = 1
    try:
        os.setsid()

        def announce() -> None:
            _redirect_output(log)
            os.write(writing, b"r")
            os.close(writing)

        status = work(announce)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect_output(log: Path) -> None:
    """Let go of the terminal."""
    rotate(log)
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    for descriptor in (nothing, file):
        os.close(descriptor)
