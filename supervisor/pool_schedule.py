"""Known peaks: hours in which the pool has a certain size at least.

    POOL_SCHEDULE="mon-fri 08:45-10:00 12; sat,sun 20:00-23:00 15; daily 22:00-02:00 5"

An entry that goes over midnight belongs to the day on which it begins. Of several that hold at the
same moment the largest counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Self

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENTRY = re.compile(r"(\S+)\s+(\d{1,2}:\d{2})-(\d{1,2}:\d{2})\s+(\d{1,5})")
_EXAMPLE = "mon-fri 08:45-10:00 12; sat,sun 20:00-23:00 15"
#: More would be no schedule any more.
_MOST_ENTRIES = 100


@dataclass(frozen=True, slots=True)
class Peak:
    """On these days, from then till then, so many at least."""

    days: frozenset[int]
    begins: time
    ends: time
    size: int

    def holds(self, at: datetime) -> bool:
        """Say whether it holds at that moment, in the schedule's own time zone."""
        clock = at.time()
        if self.begins < self.ends:
            return at.weekday() in self.days and self.begins <= clock < self.ends
        if clock >= self.begins:
            return at.weekday() in self.days
        return clock < self.ends and (at - timedelta(days=1)).weekday() in self.days


@dataclass(frozen=True, slots=True)
class Schedule:
    """All peaks; there may be none."""

    peaks: tuple[Peak, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what the setting says. Raises ValueError with what is wrong, and an example."""
        entries = [entry.strip() for entry in text.split(";") if entry.strip()]
        if len(entries) > _MOST_ENTRIES:
            raise ValueError(f"no more than {_MOST_ENTRIES} entries")
        return cls(tuple(_parse_peak(entry) for entry in entries))

    def least_at(self, at: datetime) -> int:
        """Return how many there are to be at least at that moment; 0 where none is scheduled."""
        return max((peak.size for peak in self.peaks if peak.holds(at)), default=0)


def _parse_peak(entry: str) -> Peak:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ValueError(f"'{entry}' is not of the form 'days from-to size': {_EXAMPLE}")
    days, begins, ends, size = found.groups()
    peak = Peak(frozenset(_parse_days(days.lower())), _clock(begins), _clock(ends), int(size))
    if peak.begins == peak.ends:
        raise ValueError(f"'{entry}' ends when it begins; a whole day is 00:00-24:00")
    return peak


def _parse_days(text: str) -> Iterator[int]:
    if text == "daily":
        yield from range(7)
        return
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in _DAYS or last not in _DAYS:
            raise ValueError(f"'{part}' is no day; days are {', '.join(_DAYS)} and daily")
        begin, end = _DAYS.index(first), _DAYS.index(last)
        # fri-mon goes over the end of the week.
        yield from (day % 7 for day in range(begin, end + 1 if begin <= end else end + 8))


def _clock(text: str) -> time:
    hour, minute = (int(part) for part in text.split(":"))
    if (hour, minute) == (24, 0):
        return time.max
    if hour > 23 or minute > 59:
        raise ValueError(f"'{text}' is no time of day; they go from 00:00 to 24:00")
    return time(hour, minute)
