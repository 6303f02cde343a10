"""How many warm processes the traffic asks for: functions of what was counted, no more.

Scenario: users come at all hours, a few at a time. The last hour is played again, with pools of one
size after the other, and the smallest is taken that would have served nearly all of them warm.

Scenario: more come each minute. The last hour knows nothing of that yet, so that the last minute's
rate counts, too: at that rate, so many are taken before one is back (a Poisson quantile).

Scenario: a burst is over. The pool keeps its size for as long as the hour remembers it; when fewer
would do, it waits for a while, and then shrinks step by step, so that it does not swing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from sessions.arrivals import Arrivals
from sessions.pool import Why

#: The share of starts that find a warm process: to be reached on the hour that was, since that to
#: come is never the same, and by the rate of the last minute.
REPLAY_GOAL = 0.99
RATE_GOAL = 0.90
#: Fewer starts than these in a minute are no rate.
FEWEST_FOR_RATE = 2
MINUTE_S = 60
#: A pool that is larger than needed is left alone for so long, and then loses half in each step,
#: of so long each, until it fits.
CALM_MS = 60_000
SHRINK_SHARE = 0.5

#: A second and how many came in it, the oldest first.
Seconds = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an operator allows, and what is scheduled for now."""

    least: int
    most: int
    scheduled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many, and why. `calm_since_ms`: since when fewer would do; 0: they would not."""

    size: int
    why: Why
    calm_since_ms: int = 0


def hits(seconds: Seconds, size: int, refill_s: int) -> int:
    """Return how many would have found a warm process in a pool of that size.

    Each that is taken is back after `refill_s`. Those who find none take none of the pool: a
    process is started for them alone.
    """
    idle, found = size, 0
    away: deque[tuple[int, int]] = deque()
    for second, number in seconds:
        while away and away[0][0] <= second:
            idle += away.popleft()[1]
        taken = min(idle, number)
        if taken:
            found += taken
            idle -= taken
            away.append((second + refill_s, taken))
    return found


def peak(seconds: Seconds, refill_s: int) -> int:
    """Return the most that came before one that the first of them took was back."""
    most = inside = 0
    recent: deque[tuple[int, int]] = deque()
    for second, number in seconds:
        while recent and recent[0][0] <= second - refill_s:
            inside -= recent.popleft()[1]
        recent.append((second, number))
        inside += number
        most = max(most, inside)
    return most


def size_for_replay(seconds: Seconds, refill_s: int, goal: float = REPLAY_GOAL) -> int:
    """Return the smallest size that would have had that share of hits; 0 where nobody came."""
    wanted = goal * sum(number for _, number in seconds)
    if not wanted:
        return 0
    low, high = 1, peak(seconds, refill_s)  # that many would have been enough for all
    while low < high:
        middle = (low + high) // 2
        if hits(seconds, middle, refill_s) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def size_for_rate(rate_per_s: float, refill_s: float, goal: float = RATE_GOAL) -> int:
    """Return the smallest size at which that share of random arrivals finds a warm process.

    With k processes one who comes finds none if k others came within the time to refill, and their
    number has a Poisson distribution: the smallest k with P(N < k) >= goal.
    """
    mean = rate_per_s * refill_s
    if mean <= 0:
        return 0
    if mean > _LARGE_MEAN:  # e^-mean would be 0; the normal distribution is as good there
        return math.ceil(mean + NormalDist().inv_cdf(goal) * math.sqrt(mean)) + 1
    share = chance = math.exp(-mean)
    size = 1
    while share < goal:
        chance *= mean / size
        share += chance
        size += 1
    return size


#: Beyond this the terms of the Poisson distribution get too small to be added up.
_LARGE_MEAN = 500.0


def whole_seconds(refill_s: float) -> int:
    """Return a time to refill as arrivals are counted: in seconds, and at least one."""
    return max(1, math.ceil(refill_s))


def wanted(arrivals: Arrivals, refill_s: float, bounds: Bounds) -> Size:
    """Return how many warm processes there should be now, whatever there were before."""
    whole_s = whole_seconds(refill_s)
    last_minute = arrivals.since(arrivals.now_s - MINUTE_S)
    rate = last_minute / MINUTE_S if last_minute >= FEWEST_FOR_RATE else 0.0
    candidates = [
        Size(size=size_for_replay(arrivals.seconds, whole_s), why=Why.TRAFFIC),
        Size(size=size_for_rate(rate, refill_s), why=Why.RATE),
        Size(size=bounds.scheduled, why=Why.SCHEDULE),
        Size(size=bounds.least, why=Why.LEAST),
    ]
    # Of equal ones the first: what users do says more than what is set.
    largest = max(candidates, key=lambda one: one.size)
    if largest.size > bounds.most:
        return Size(size=bounds.most, why=Why.MOST)
    return largest


def settled(before: Size | None, now: Size, now_ms: int) -> Size:
    """Return what to do about it: grow at once, shrink late and in steps."""
    if before is None or now.size >= before.size:
        return now
    if now.why is Why.MOST:  # an operator has lowered it
        return now
    if not before.calm_since_ms:
        return replace(before, why=Why.CALMING, calm_since_ms=now_ms)
    if now_ms - before.calm_since_ms < CALM_MS:
        return replace(before, why=Why.CALMING)
    smaller = max(now.size, math.floor(before.size * (1 - SHRINK_SHARE)))
    if smaller == now.size:
        return now
    return Size(size=smaller, why=Why.CALMING, calm_since_ms=now_ms)
