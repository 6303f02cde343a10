"""What happened in each of the last minutes. The scripts count it (lua/include/minutes.lua)."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.scripts import translated_errors
from sessions.settings import COUNTED, MINUTES_KEPT, STARTUP_EDGES_MS

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """How many sessions changed in one minute."""

    #: When it began, in ms since 1970 by Redis's clock.
    at_ms: int
    #: Got a slot.
    admitted: int = 0
    #: Their first agent was there; one that came in place of a lost one is not counted.
    ready: int = 0
    failed: int = 0
    ended: int = 0
    #: Did not ask any more while they waited for a slot; who left the line on purpose has ended.
    expired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Minute by minute, the oldest first; the last one is not over yet."""

    minutes: tuple[Minute, ...]
    #: How many first starts took up to each of `STARTUP_EDGES_MS`, but longer than the one before;
    #: the last number is of those beyond them all.
    startups: tuple[int, ...]

    @property
    def ready(self) -> int:
        return sum(minute.ready for minute in self.minutes)

    @property
    def failed(self) -> int:
        return sum(minute.failed for minute in self.minutes)

    @property
    def success_rate(self) -> float | None:
        """The share of those that got an agent among these and those that failed; None of none."""
        outcomes = self.ready + self.failed
        return self.ready / outcomes if outcomes else None


async def read_history(engine: Engine, minutes: int) -> History:
    """Return the last so many minutes, this one included. Raises InvalidInput, StoreUnavailable."""
    if not 1 <= minutes <= MINUTES_KEPT:
        raise InvalidInput(f"1 to {MINUTES_KEPT} minutes are kept")
    last = await engine.now() // _MINUTE_MS
    asked = range(last - minutes + 1, last + 1)
    with translated_errors():
        texts = await engine.redis.hmget(
            engine.keys.minutes, [str(minute % MINUTES_KEPT) for minute in asked]
        )
    startups, found = [0] * (len(STARTUP_EDGES_MS) + 1), []
    for minute, text in zip(asked, texts, strict=True):
        known, *counts = [int(number) for number in (text or "0").split()]
        if known != minute:  # of a round before
            counts = []
        found.append(_minute(minute, counts[: len(COUNTED)]))
        for place, count in enumerate(counts[len(COUNTED) :]):
            startups[place] += count
    return History(minutes=tuple(found), startups=tuple(startups))


def _minute(minute: int, counts: list[int]) -> Minute:
    return Minute(at_ms=minute * _MINUTE_MS, **dict(zip(COUNTED, counts, strict=False)))
