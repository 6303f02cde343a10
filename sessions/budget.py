"""The error budget: how many sessions may fail, and how many did.

The promise is that 99 of 100 sessions get their agent and do not fail. Good and bad are what
deploy/prometheus/rules/recording.yml counts: first agents that were there, and sessions that
failed. One that failed after its agent was there counts as both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sessions.engine import Engine
from sessions.minutes import Minute, read_history
from sessions.scripts import translated_errors

#: The share that is to be good.
OBJECTIVE = 0.99
#: Over this time; the hour that is not over yet is the last of it.
WINDOW_DAYS = 30
_WINDOW_HOURS = WINDOW_DAYS * 24
_HOUR_MS = 3_600_000
_HOUR_MINUTES = 60
_JUST_NOW_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Tally:
    """What was good and what was bad within some time."""

    good: int = 0
    bad: int = 0

    @property
    def share(self) -> float | None:
        """The share of what was bad; None of none."""
        outcomes = self.good + self.bad
        return self.bad / outcomes if outcomes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is used up of the budget, and how fast it goes."""

    #: The last `WINDOW_DAYS`.
    window: Tally
    #: The last hour, and the last five minutes.
    hour: Tally
    just_now: Tally

    @property
    def remaining(self) -> float:
        """What is left of it: 1 is all, 0 nothing, and less than that too much has failed."""
        outcomes = max(1, self.window.good + self.window.bad)
        return 1 - self.window.bad / outcomes / (1 - OBJECTIVE)

    @property
    def burn_rate(self) -> float | None:
        """How many times too fast the last hour used it up: at 1 it lasts just for the window.

        None where the last hour had no outcome.
        """
        share = self.hour.share
        return None if share is None else share / (1 - OBJECTIVE)


async def read_budget(engine: Engine) -> Budget:
    """Return how the budget stands. Raises StoreUnavailable."""
    this_hour = await engine.now() // _HOUR_MS
    with translated_errors():
        texts = await engine.redis.hgetall(engine.keys.hours)
    good = bad = 0
    for text in texts.values():
        hour, ready, failed = (int(number) for number in str(text).split())
        if this_hour - _WINDOW_HOURS < hour <= this_hour:
            good, bad = good + ready, bad + failed
    minutes = (await read_history(engine, _HOUR_MINUTES)).minutes
    return Budget(
        window=Tally(good, bad),
        hour=_tally(minutes),
        just_now=_tally(minutes[-_JUST_NOW_MINUTES:]),
    )


def _tally(minutes: Iterable[Minute]) -> Tally:
    counts = [(minute.ready, minute.failed) for minute in minutes]
    return Tally(sum(ready for ready, _ in counts), sum(failed for _, failed in counts))
