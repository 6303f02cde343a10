"""A circuit breaker: a neighbour that does not answer is left alone for a while.

Without one, every call to a dead neighbour waits until its deadline. With one, the first few do;
those after them are refused at once, until a single call has tried out whether it answers again.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

logger = logging.getLogger("breaker")

#: By how much of itself a pause may be longer, so that replicas do not all try at once.
_JITTER = 0.2


class BreakerState(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one at a time, to try it out


class BreakerOpen(Exception):
    """Raised instead of a call. ``retry_after_s`` is in whole seconds, and at least one."""

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(f"{name} is not asked for a while: it failed too often")
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class Breaker:
    """Guards the calls to one neighbour, for one event loop.

    It opens after ``failures`` failed calls in a row, and after ``open_s`` and up to a fifth more
    lets one call through, whose outcome closes it or opens it again. A call fails when it raises
    one of ``failing``; one of ``silent`` says nothing, since the neighbour was not asked; any other
    Exception counts as an answer. Calls that are cancelled say
    nothing, so a deadline belongs inside the guard, where it becomes one of ``failing``. Outcomes
    of calls that began before the last change of state say nothing either.

    ``refusal`` is what is raised instead of a call. ``on_change`` hears of each change of state,
    after it, and must not raise. ``clock`` is in seconds and never goes back; ``chance`` is
    between 0 and 1.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        open_s: float,
        failing: tuple[type[Exception], ...],
        silent: tuple[type[Exception], ...] = (),
        refusal: type[BreakerOpen] = BreakerOpen,
        on_change: Callable[[BreakerState], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._limit, self._open_s = failures, open_s
        self._failing, self._silent = failing, silent
        self._refusal, self._on_change = refusal, on_change
        self._clock, self._chance = clock, chance
        self._state = BreakerState.CLOSED
        self._changes = 0
        self._failures = 0
        self._is_trying = False
        self._try_at = 0.0

    @property
    def state(self) -> BreakerState:
        """The state as of the last call: an open one stays so until somebody calls again."""
        return self._state

    @property
    def retry_after_s(self) -> float:
        """How long calls will be refused still; 0 when one may be let through."""
        if self._state is BreakerState.OPEN:
            return max(0.0, self._try_at - self._clock())
        return 0.0

    def require(self) -> None:
        """Raise the refusal unless all calls are let through; for what begins with other work."""
        if self._state is not BreakerState.CLOSED:
            raise self._refusal(self.name, self.retry_after_s)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Surround one call. Raises the refusal instead of entering when calls are refused."""
        began = self._admit()
        try:
            yield
        except self._failing:
            self._settle(began, has_failed=True)
            raise
        except self._silent:
            self._forget(began)
            raise
        except Exception:
            self._settle(began, has_failed=False)
            raise
        except BaseException:
            self._forget(began)
            raise
        else:
            self._settle(began, has_failed=False)

    def _admit(self) -> int:
        """Return the number of changes so far, by which a late outcome is told."""
        if self._state is BreakerState.OPEN and self._clock() >= self._try_at:
            self._change(BreakerState.HALF_OPEN)
        if self._state is BreakerState.CLOSED:
            return self._changes
        if self._state is BreakerState.OPEN or self._is_trying:
            raise self._refusal(self.name, self.retry_after_s)
        self._is_trying = True
        return self._changes

    def _settle(self, began: int, *, has_failed: bool) -> None:
        if began != self._changes:
            return
        if not has_failed:
            self._failures = 0
            if self._state is BreakerState.HALF_OPEN:
                self._change(BreakerState.CLOSED)
            return
        self._failures += 1
        if self._state is BreakerState.HALF_OPEN or self._failures >= self._limit:
            self._try_at = self._clock() + self._open_s * (1 + _JITTER * self._chance())
            self._change(BreakerState.OPEN)

    def _forget(self, began: int) -> None:
        if began == self._changes:
            self._is_trying = False

    def _change(self, state: BreakerState) -> None:
        self._state = state
        self._changes += 1
        self._is_trying = False
        level = logging.WARNING if state is BreakerState.OPEN else logging.INFO
        logger.log(
            level,
            "circuit breaker %s",
            state,
            extra={"dependency": self.name, "retry_after_s": round(self.retry_after_s, 1)},
        )
        if self._on_change:
            self._on_change(state)
