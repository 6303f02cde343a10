"""A process that starts some like itself, keeps them running, and waits for them in the end.

They are forked, so they share the memory of all that was loaded before. Whoever forks must have no
threads of its own: this waits for signals instead of polling, and needs none.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess

_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
_HEARD = _STOPS | {signal.SIGCHLD}
#: One that dies at once is not started more often.
_EVERY_S = 1.0


class Children:
    """So many children, numbered from 0; each does `serve(number)`, and is started again."""

    def __init__(
        self,
        serve: Callable[[int], None],
        count: int,
        *,
        ends_within_s: float,
        tell: Callable[[str], None],
    ) -> None:
        self._serve, self._count = serve, count
        self._ends_within_s, self._tell = ends_within_s, tell
        self._alive: dict[int, ForkProcess] = {}
        #: When each may be started, by `time.monotonic`.
        self._due_at = dict.fromkeys(range(count), 0.0)
        self._have_failed = False

    def run(self) -> int:
        """Keep them running until SIGINT or SIGTERM, which is passed on.

        Return 0 when all of them then ended in time and by themselves, else 1.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        # The garbage collector writes into whatever it looks at, which would be shared no more.
        gc.collect()
        gc.freeze()
        while True:
            self._start_those_due()
            told = self._hear(self._next_due_s())
            self._bury()
            if told in _STOPS:
                return self._stop(told)

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for number in range(self._count):
            if number not in self._alive and self._due_at[number] <= now:
                self._due_at[number] = now + _EVERY_S
                child = multiprocessing.get_context("fork").Process(
                    target=_begin, args=(self._serve, number), name=f"child-{number}"
                )
                child.start()
                self._alive[number] = child
                self._tell(f"child {number} started: pid {child.pid}")

    def _next_due_s(self) -> float | None:
        """Return how long until one may be started; None: all of them run."""
        due = [self._due_at[one] for one in range(self._count) if one not in self._alive]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _hear(self, within_s: float | None) -> int | None:
        """Wait for a signal; return its number, or None when there was none in time."""
        if within_s is None:
            return signal.sigwaitinfo(_HEARD).si_signo
        heard = signal.sigtimedwait(_HEARD, within_s)
        return None if heard is None else heard.si_signo

    def _bury(self) -> None:
        """Take note of those that have ended."""
        for number, child in list(self._alive.items()):
            if child.exitcode is not None:
                del self._alive[number]
                self._have_failed |= child.exitcode != 0
                self._tell(f"child {number} ended: pid {child.pid}, status {child.exitcode}")

    def _stop(self, told: int) -> int:
        """Pass a signal on, and each further one; kill those that are left at the deadline."""
        ends_at, self._have_failed = time.monotonic() + self._ends_within_s, False
        passed_on: int | None = told
        while self._alive and (left_s := ends_at - time.monotonic()) > 0:
            if passed_on in _STOPS:
                for child in self._alive.values():
                    os.kill(child.ident or 0, passed_on)
            passed_on = self._hear(left_s)
            self._bury()
        for number, child in self._alive.items():
            self._tell(f"child {number} is killed: it had {self._ends_within_s:g} s to end")
            child.kill()
            child.join()
        return 1 if self._alive or self._have_failed else 0


def _begin(serve: Callable[[int], None], number: int) -> None:
    """Be a child: hear signals again, and end with whoever started it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    serve(number)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
