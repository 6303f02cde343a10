"""How many warm processes to have at this moment: never more than wanted, sometimes fewer.

Scenario: ten users come at once, and ten processes were warm. Each start of a new one costs what
the ten are in need of just then, so filling up waits until they have begun; but not for long when
calls keep coming, and not at all once none is left.

Scenario: a new process dies, or cannot get warm, whatever the reason. The next one would, too.
One is tried after a while, then after twice the while, until one becomes warm.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

#: About how long a call needs to begin on a busy machine.
_CALM_S = 1.0
#: A stream of calls does not put off filling up any longer.
_LONGEST_YIELD_S = 3.0
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0
#: What is told of refilling is the median of so many times.
_TIMES_KEPT = 20
#: Of more that were taken and are not replaced yet, the oldest are forgotten.
_OWED_KEPT = 200


class Refill:
    """Knows what goes on with calls and processes, and says how many should be warm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: How many starts of a process failed since the last one that did not.
        self.failures = 0
        self._attempts = 0
        self._next_attempt_at = 0.0
        self._calm_at = 0.0
        self._yields_until = 0.0

    def call_starts(self, *, is_full: bool) -> None:
        """Hear that a call is being started; `is_full`: as many are warm as are wanted."""
        now = self._clock()
        if is_full or now >= self._calm_at:
            self._yields_until = now + _LONGEST_YIELD_S
        self._calm_at = now + _CALM_S

    def process_failed(self) -> float:
        """Hear that a process did not get warm; return how long none will be started, in s."""
        now = self._clock()
        self.failures += 1
        if now >= self._next_attempt_at:  # else it was started together with one that failed
            delay_s = min(_FIRST_RETRY_S * 2**self._attempts, _LONGEST_RETRY_S)
            self._next_attempt_at = now + delay_s
            self._attempts += 1
        return self._next_attempt_at - now

    def process_ready(self) -> None:
        """Hear that a process got warm."""
        self.failures = self._attempts = 0
        self._next_attempt_at = 0.0

    def target(self, wanted: int, idle: int) -> int:
        """Return how many should be warm now, where so many are wanted and so many are."""
        if self.failures:
            # One at a time, and one even where none is wanted: how else would it be found out?
            is_due = self._clock() >= self._next_attempt_at
            return max(min(wanted, idle + 1), 1) if is_due else 0
        yields = idle > 0 and self._clock() < min(self._calm_at, self._yields_until)
        return 0 if yields else wanted


class RefillTimes:
    """How long it takes until a warm process that was taken is replaced by another one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: When those were taken that have not been replaced, the oldest first.
        self._owed: deque[float] = deque(maxlen=_OWED_KEPT)
        self._times_s: deque[float] = deque(maxlen=_TIMES_KEPT)

    def one_taken(self) -> None:
        """Hear that a call got a process."""
        self._owed.append(self._clock())

    def one_ready(self) -> None:
        """Hear that a process got warm: it replaces the one that was taken first."""
        if self._owed:
            self._times_s.append(self._clock() - self._owed.popleft())

    def all_there(self) -> None:
        """Hear that as many are warm as are wanted: whatever was taken is not missed any more."""
        self._owed.clear()

    @property
    def typical_s(self) -> float | None:
        """The median of the last ones; None before the first."""
        return median(self._times_s) if self._times_s else None
