"""A day of one pool of warm processes, event by event, whatever decides on its size.

What a real worker does: a call takes a warm process, or where there is none one is started for it
alone; what is missing is started anew, so many at a time, and each takes a while. What its
supervisor does is the product's own code (supervisor/pool_size.py), asked as often as there.
"""

from __future__ import annotations

import heapq
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from bench.pool.traces import DAY_S, Trace
from sessions.arrivals import Arrivals
from sessions.settings import SECONDS_KEPT
from supervisor.pool_size import Bounds, Size, settled, wanted

#: As POOL_INTERVAL_S has it.
LOOK_EACH_S = 5.0
_HOUR_S = 3_600
_NEVER = float("inf")
#: A worker tells the median of so many (worker/host/refill.py).
_TIMES_KEPT = 20
_REFILL_S = 1.5


class Sizing(Protocol):
    """Decides how many there shall be."""

    def size(self, arrivals: Arrivals, refill_s: float) -> int:
        """Return it; asked every `LOOK_EACH_S`."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same, as POOL_SIZE alone has it."""

    number: int

    def size(self, _arrivals: Arrivals, _refill_s: float) -> int:
        """Return it."""
        return self.number


@dataclass(slots=True)
class Tuned:
    """What the supervisor says."""

    bounds: Bounds = field(default_factory=lambda: Bounds(least=1, most=20))
    told: Size | None = None

    def size(self, arrivals: Arrivals, refill_s: float) -> int:
        """Return what it would say now."""
        now = wanted(arrivals, refill_s, self.bounds)
        self.told = settled(self.told, now, arrivals.now_s * 1000 + 1)
        return self.told.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of it. A process is idle from when its start begins until a call takes it."""

    starts: int
    hits: int
    idle_process_hours: float
    largest: int


class Pool:
    """A pool during a day; run it once."""

    def __init__(self, sizing: Sizing, *, start_s: float, at_once: int) -> None:
        self._sizing = sizing
        self._start_s = start_s
        self._at_once = at_once
        self._idle = 0
        #: When those will be warm that are being started.
        self._starting: list[float] = []
        #: Seconds and how many came in them, of the last hour.
        self._seconds: deque[tuple[int, int]] = deque()
        self._owed: deque[float] = deque(maxlen=200)
        self._times_s: deque[float] = deque(maxlen=_TIMES_KEPT)
        self._size = self._largest = 0

    def run(self, trace: Trace) -> Day:
        """Let all of them come."""
        hits = place = 0
        busy_s = now_s = next_look_s = 0.0
        while True:
            comes_s = trace[place] if place < len(trace) else _NEVER
            ready_s = self._starting[0] if self._starting else _NEVER
            at_s = min(comes_s, ready_s, next_look_s)
            if at_s >= DAY_S:
                break
            busy_s += (at_s - now_s) * (self._idle + len(self._starting))
            now_s = at_s
            if at_s == ready_s:
                self._one_ready(at_s)
            elif at_s == comes_s:
                place += 1
                hits += self._one_comes(at_s)
            else:
                next_look_s += LOOK_EACH_S
                self._look(at_s)
            self._refill(at_s)
        return Day(
            starts=len(trace),
            hits=hits,
            idle_process_hours=busy_s / _HOUR_S,
            largest=self._largest,
        )

    def _one_comes(self, at_s: float) -> bool:
        second = int(at_s)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((second, 1))
        if not self._idle:
            return False
        self._idle -= 1
        self._owed.append(at_s)
        return True

    def _one_ready(self, at_s: float) -> None:
        heapq.heappop(self._starting)
        self._idle += 1
        if self._owed:
            self._times_s.append(at_s - self._owed.popleft())
        if self._idle >= self._size:
            self._owed.clear()

    def _look(self, at_s: float) -> None:
        now_s = int(at_s)
        while self._seconds and self._seconds[0][0] <= now_s - SECONDS_KEPT:
            self._seconds.popleft()
        arrivals = Arrivals(now_s=now_s, seconds=tuple(self._seconds))
        refill_s = statistics.median(self._times_s) if self._times_s else _REFILL_S
        self._size = self._sizing.size(arrivals, refill_s)
        self._largest = max(self._largest, self._size)
        # What is too much is closed at once.
        self._idle = min(self._idle, self._size)

    def _refill(self, at_s: float) -> None:
        while len(self._starting) < self._at_once and self._idle + len(self._starting) < self._size:
            heapq.heappush(self._starting, at_s + self._start_s)
