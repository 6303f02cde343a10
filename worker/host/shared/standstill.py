"""Whether an event loop stands still, or its process only gets no time on a busy machine.

A loop that is blocked sleeps, or computes; one that is kept from running is ready to run and uses
no time of the processor. Linux tells the one from the other (proc(5), `stat`: state, utime, stime);
on other systems only the time counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: It is asked twice a second. Without an answer for so long, it is looked at closely.
_SILENT_S = 1.5
#: A loop that has had so much of a processor since its last answer computes without a pause.
_COMPUTED_S = 1.0
#: Nobody is waited for any longer, whatever the machine does.
_LONGEST_S = 6.0
#: Looks that came later than this say that we were away ourselves.
_LATE_S = 0.75
#: As often in a row it must have been seen asleep.
_ASLEEP = 3
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Thread:
    """The main thread of a process at one moment."""

    is_runnable: bool
    cpu_s: float


def read_thread(pid: int) -> Thread | None:
    """Return how the main thread of a process is; None where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name before it is in brackets, and may have some in it.
    fields = text.rpartition(")")[2].split()
    used = int(fields[11]) + int(fields[12])
    return Thread(is_runnable=fields[0] == "R", cpu_s=used / _TICKS_PER_S)


class Standstill:
    """Watches one loop. `turned` is called with each answer of it, `look` a few times a second."""

    def __init__(
        self,
        pid: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[int], Thread | None] = read_thread,
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
        self._measure()
        silent_s = now - self._turned_at
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
        thread = self._read(self._pid)
        if thread is None:
            return
        if self._cpu_s_then is None:
            self._cpu_s_then = thread.cpu_s
        self._computed_s = thread.cpu_s - self._cpu_s_then
        self._asleep = 0 if thread.is_runnable else self._asleep + 1
