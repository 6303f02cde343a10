"""Hold one service so that it can never outlive whoever started it.

`python leash.py SERVICE ARGUMENT…` starts the service in a session of its own and reports `pid N`
on standard output. Standard input is the leash: the byte `T` asks the service to stop (SIGTERM),
`K` kills it and all its descendants, and end-of-file means that the owner is gone, whatever the
reason, so the service has `OWNER_GONE_GRACE_S` to leave. The service itself dies with the leash
(PR_SET_PDEATHSIG).

Owner and leash are tied by a pipe because a parent-death signal is bound to the *thread* that
forked, and owners run event loops in threads. The leash adopts orphaned grandchildren
(PR_SET_CHILD_SUBREAPER) and exits only when none is left. Its exit status is the service's,
128 + n for a signal n, 127 when it cannot be started.

Standard library only, and no import from this package: it is run as a file, with `-I -S`, to be
small.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OWNER_GONE_GRACE_S = 5.0
"""How long a service may take to stop when its owner has vanished."""
STRAGGLER_GRACE_S = 1.0
"""How long descendants may outlive the service, for instance to remove their shared memory."""
POLL_S = 0.1
CANNOT_START = 127

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def set_process_option(option: int, value: int) -> None:
    """Call prctl(2); on a system without it the pipe alone has to do."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def parents() -> Iterator[tuple[int, int]]:
    """Yield (pid, parent's pid) for each process; nothing on systems without /proc."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name may hold spaces and parentheses; the last `)` ends it.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            yield int(stat.parent.name), int(fields[1])


def descendants(root: int) -> set[int]:
    """Return the pids of the children of `root`, of their children, and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    queue = list(children.get(root, ()))
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.add(pid)
            queue += children.get(pid, ())
    return found


class Leash:
    """One service, the pipe that holds it, and the deadlines of its end."""

    def __init__(self, argv: list[str]) -> None:
        self._selector = selectors.DefaultSelector()
        self._exit_code: int | None = None
        self._kill_at: float | None = None
        self._is_asked_to_stop = False
        self._listen_for_signals()
        owner = os.getpid()

        def die_with_leash() -> None:
            set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != owner:  # the leash died before the line above
                os._exit(CANNOT_START)

        self._service = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            preexec_fn=die_with_leash,  # noqa: PLW1509 - this process has one thread
        )
        self._selector.register(sys.stdin, selectors.EVENT_READ, "owner")
        with suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), b"pid %d\n" % self._service.pid)

    def _listen_for_signals(self) -> None:
        """Wake the loop at SIGCHLD; pass SIGTERM on; survive what a terminal sends to everybody."""
        reading, writing = os.pipe()
        for end in (reading, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._selector.register(reading, selectors.EVENT_READ, "signal")
        # Handlers, not SIG_IGN: an ignored signal would stay ignored in the service.
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self._is_asked_to_stop = True

    def run(self) -> int:
        """Return the service's exit status when it and all its descendants are gone."""
        while self._exit_code is None:
            self._listen(POLL_S if self._kill_at is not None else None)
            if self._is_asked_to_stop:
                self._is_asked_to_stop = False
                self._terminate()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill()
            self._reap()
        self._kill_at = self._kill_at or time.monotonic() + STRAGGLER_GRACE_S
        while descendants(os.getpid()):
            if time.monotonic() >= self._kill_at:
                self._kill()
            self._listen(POLL_S)
            self._reap()
        return self._exit_code

    def _listen(self, timeout_s: float | None) -> None:
        for key, _ in self._selector.select(timeout_s):
            received = os.read(key.fd, 64)
            if key.data == "owner":
                self._obey(received)

    def _obey(self, command: bytes) -> None:
        if not command:
            self._selector.unregister(sys.stdin)
            self._terminate()
            self._kill_at = self._kill_at or time.monotonic() + OWNER_GONE_GRACE_S
        if b"T" in command:
            self._terminate()
        if b"K" in command:
            self._kill_at = time.monotonic()

    def _terminate(self) -> None:
        if self._exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self._service.pid, signal.SIGTERM)

    def _kill(self) -> None:
        if self._exit_code is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._service.pid, signal.SIGKILL)
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._service.pid:
                    code = os.waitstatus_to_exitcode(status)
                    self._exit_code = code if code >= 0 else 128 - code
                    self._service.returncode = code


def main(argv: list[str]) -> int:
    """Run `argv` on a leash."""
    set_process_option(PR_SET_CHILD_SUBREAPER, 1)
    try:
        leash = Leash(argv)
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error.strerror}\n")
        return CANNOT_START
    return leash.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
