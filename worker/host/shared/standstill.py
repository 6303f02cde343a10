"""Whether an event loop stands still, or its process only gets no time on a busy machine.

A process whose loop is blocked sleeps, or computes. One that is kept from running has a thread that
is ready to run, if only the one that holds Python's lock, and gets no time. Linux tells the one
from the other (proc(5), `stat`: state, utime, stime); on other systems only the time counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: It is asked twice a second. Without an answer for so long, it is looked at closely.
_SILENT_S = 1.5
#: Looked at from here on: the next answer is overdue.
_QUIET_S = 0.6
#: A process that has had so much of a processor since then computes without a pause.
_COMPUTED_S = 0.8
#: Nobody is waited for any longer, whatever the machine does.
_LONGEST_S = 6.0
#: Looks that came later than this say that we got no time ourselves.
_LATE_S = 0.5
#: As often in a row it must have been seen asleep.
_ASLEEP = 3
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


#: States of a thread that waits for a processor, or for a disk.
_BUSY = frozenset("RD")


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of a process at one moment."""

    #: Whether any of them could run, or will once the disk has answered.
    is_any_busy: bool
    #: What all of them have used.
    cpu_s: float


def read_threads(pid: int) -> Threads | None:
    """Return how the threads of a process are; None where the system does not tell."""
    try:
        texts = [
            stat.read_text(encoding="utf-8", errors="replace")
            for stat in Path(f"/proc/{pid}/task").glob("*/stat")
        ]
    except OSError:
        return None  # it is gone, or one of its threads is
    # The name before it is in brackets, and may have some in it.
    threads = [text.rpartition(")")[2].split() for text in texts]
    if not threads:
        return None
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in threads)
    is_any_busy = any(fields[0] in _BUSY for fields in threads)
    return Threads(is_any_busy=is_any_busy, cpu_s=ticks / _TICKS_PER_S)


class Standstill:
    """Watches one loop. `turned` is called with each answer of it, `look` a few times a second."""

    def __init__(
        self,
        pid: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[int], Threads | None] = read_threads,
    ) -> None:
        self._pid = pid
        self._clock, self._read = clock, read
        self._turned_at = self._looked_at = clock()
        self._cpu_s_then: float | None = None
        self._computed_s = 0.0
        self._asleep = 0

    def turned(self) -> None:
        """Hear that it turns."""
        self._turned_at = self._clock()
        self._cpu_s_then, self._computed_s, self._asleep = None, 0.0, 0

    def look(self) -> bool:
        """Look at the process; say whether its loop stands still."""
        now = self._clock()
        is_late, self._looked_at = now - self._looked_at > _LATE_S, now
        if is_late:
            # Answers may lie there unread.
            self.turned()
            return False
        silent_s = now - self._turned_at
        if silent_s > _QUIET_S:
            self._measure()
        if silent_s < _SILENT_S:
            return False
        is_blocked = self._asleep >= _ASLEEP or self._computed_s >= _COMPUTED_S
        return is_blocked or silent_s >= _LONGEST_S

    def figures(self) -> dict[str, float]:
        """Return what it was judged by, for the log."""
        return {
            "silent_s": round(self._clock() - self._turned_at, 2),
            "computed_s": round(self._computed_s, 2),
        }

    def _measure(self) -> None:
        threads = self._read(self._pid)
        if threads is None:
            return
        if self._cpu_s_then is None:
            self._cpu_s_then = threads.cpu_s
        self._computed_s = threads.cpu_s - self._cpu_s_then
        self._asleep = 0 if threads.is_any_busy else self._asleep + 1
