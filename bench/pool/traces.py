"""When users come, for a day: four kinds of traffic by a seeded die, and one that was recorded.

All times are in s since the day began, in order.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

DAY_S = 86_400
_HOUR_S = 3_600
_MINUTE_S = 60.0

#: Users a minute.
_STEADY = 6.0
_NIGHT, _NOON = 0.2, 12.0
_OPENS_AT, _CLOSES_AT = 7, 21
_QUIET = 1.0
#: Between them some users at once, within two seconds.
_BURST_EACH_S = 600.0
_BURST = (3, 8)
_BURST_WITHIN_S = 2.0
#: At noon: one minute up, eight minutes there, six minutes down.
_CROWD = 60.0
_CROWD_AT_S = 12 * _HOUR_S
_RISE_S, _STAY_S, _FALL_S = 60, 480, 360

Trace = Sequence[float]
Rate = Callable[[float], float]


def steady(seed: int) -> Trace:
    """Return six a minute, each by itself, day and night."""
    return _random_arrivals(lambda _: _STEADY, _STEADY, seed)


def diurnal(seed: int) -> Trace:
    """Return hardly anybody at night, and up to twelve a minute in the early afternoon."""

    def rate(at_s: float) -> float:
        hour = at_s / _HOUR_S
        if not _OPENS_AT <= hour <= _CLOSES_AT:
            return _NIGHT
        height = math.sin(math.pi * (hour - _OPENS_AT) / (_CLOSES_AT - _OPENS_AT))
        return _NIGHT + (_NOON - _NIGHT) * height**2

    return _random_arrivals(rate, _NOON, seed)


def bursty(seed: int) -> Trace:
    """Return one a minute, and every ten minutes or so three to eight within two seconds."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    found = list(_random_arrivals(lambda _: _QUIET, _QUIET, seed + 1))
    for at_s in _random_arrivals(lambda _: _MINUTE_S / _BURST_EACH_S, 1.0, seed + 2):
        size = rng.randint(*_BURST)
        found += [at_s + rng.random() * _BURST_WITHIN_S for _ in range(size)]
    return sorted(at_s for at_s in found if at_s < DAY_S)


def flash_crowd(seed: int) -> Trace:
    """Return one a minute, and once sixty a minute, who are there within a minute."""

    def rate(at_s: float) -> float:
        since_s = at_s - _CROWD_AT_S
        if since_s < 0 or since_s >= _RISE_S + _STAY_S + _FALL_S:
            return _QUIET
        if since_s < _RISE_S:
            return _QUIET + (_CROWD - _QUIET) * since_s / _RISE_S
        left_s = _RISE_S + _STAY_S + _FALL_S - since_s
        return _QUIET + (_CROWD - _QUIET) * min(1.0, left_s / _FALL_S)

    return _random_arrivals(rate, _CROWD, seed)


def bank(_: int = 0) -> Trace:
    """Return the calls of one day at the call centre of a bank, as they were recorded.

    A day of 1999 of the "Anonymous Bank" data (A. Mandelbaum, A. Sakov, S. Zeltyn, "Empirical
    Analysis of a Call Center", Technion, 2000): the times at which calls came in, and nothing else.
    """
    return read_trace(files("bench.pool").joinpath("bank_day.txt").read_text(encoding="utf-8"))


def read_trace(text: str) -> Trace:
    """Read times of a day, h:mm:ss or h:mm:ss.sss, one a line. Raises ValueError with the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (entry := line.partition("#")[0].strip()):
            continue
        try:
            hours, minutes, seconds = entry.split(":")
            at_s = int(hours) * _HOUR_S + int(minutes) * _MINUTE_S + float(seconds)
        except ValueError:
            raise ValueError(f"line {number}: '{entry}' is no time as 9:41:07") from None
        if not 0 <= at_s < DAY_S:
            raise ValueError(f"line {number}: '{entry}' is not within a day")
        found.append(at_s)
    if not found:
        raise ValueError("nobody comes in this trace")
    return sorted(found)


def recorded(path: Path) -> Callable[[int], Trace]:
    """Return a trace of a file's own. Raises OSError, ValueError."""
    trace = read_trace(path.read_text(encoding="utf-8"))
    return lambda _: trace


TRACES: dict[str, Callable[[int], Trace]] = {
    "steady": steady,
    "diurnal": diurnal,
    "bursty": bursty,
    "flash crowd": flash_crowd,
    "bank, recorded": bank,
}


def _random_arrivals(rate: Rate, most: float, seed: int) -> Trace:
    """Return arrivals at a rate a minute that changes, by thinning (Lewis and Shedler, 1979)."""
    return list(_thinned(rate, most, random.Random(seed)))  # noqa: S311 - no secret


def _thinned(rate: Rate, most: float, rng: random.Random) -> Iterator[float]:
    at_s = 0.0
    while True:
        at_s += rng.expovariate(most / _MINUTE_S)
        if at_s >= DAY_S:
            return
        if rng.random() * most < rate(at_s):
            yield at_s
