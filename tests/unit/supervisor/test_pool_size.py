"""How many warm processes traffic asks for: the smallest number that had served it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.arrivals import Arrivals
from sessions.pool import Why
from supervisor.pool_size import (
    CALM_MS,
    RATE_GOAL,
    REPLAY_GOAL,
    Bounds,
    Seconds,
    Size,
    hits,
    peak,
    settled,
    size_for_rate,
    size_for_replay,
    wanted,
)

NOW_S = 10_000
WIDE = Bounds(least=0, most=1_000)

seconds = st.dictionaries(st.integers(0, 300), st.integers(1, 20), max_size=40).map(
    lambda found: sorted(found.items())
)
refills_s = st.integers(1, 10)


def arrivals(*found: tuple[int, int]) -> Arrivals:
    """Return arrivals by how many seconds ago they were."""
    listed = sorted((NOW_S - ago_s, number) for ago_s, number in found)
    return Arrivals(now_s=NOW_S, seconds=tuple(listed))


@given(seconds, refills_s)
def test_a_larger_pool_serves_no_fewer(found: Seconds, refill_s: int) -> None:
    served = [hits(found, size, refill_s) for size in range(25)]
    assert served == sorted(served)
    assert served[0] == 0


@given(seconds, refills_s)
def test_a_pool_of_the_peak_serves_all(found: Seconds, refill_s: int) -> None:
    assert hits(found, peak(found, refill_s), refill_s) == sum(number for _, number in found)


@given(seconds, refills_s, st.floats(0.1, 1.0))
def test_it_is_the_smallest_that_reaches_the_goal(
    found: Seconds, refill_s: int, goal: float
) -> None:
    size = size_for_replay(found, refill_s, goal)
    total = sum(number for _, number in found)
    assert hits(found, size, refill_s) >= goal * total
    assert size == 0 or hits(found, size - 1, refill_s) < goal * total


def test_one_that_is_taken_is_back_after_the_refill_and_not_before() -> None:
    assert hits([(0, 1), (2, 1)], 1, 2) == 2
    assert hits([(0, 1), (1, 1)], 1, 2) == 1
    assert peak([(0, 1), (2, 1)], 2) == 1
    assert peak([(0, 1), (1, 1)], 2) == 2


def test_a_burst_asks_for_as_many_as_came() -> None:
    assert size_for_replay([(0, 10)], 2) == 10


def test_a_rare_burst_among_many_is_not_worth_a_pool() -> None:
    single = [(second, 1) for second in range(0, 3600, 6)]
    assert size_for_replay(sorted([*single, (3, 5)]), 2) == 1


@pytest.mark.parametrize("rate_per_s", [0.1, 0.5, 1.0, 3.0])
def test_the_rate_reaches_its_goal_on_random_arrivals(rate_per_s: float) -> None:
    """Users at that rate, by a seeded die, for eight hours: as many hits as the goal says."""
    rng, at_s, refill_s = random.Random(1), 0.0, 2.0  # noqa: S311 - no secret
    size = size_for_rate(rate_per_s, refill_s)
    back: list[float] = []
    found = total = 0
    while at_s < 30_000:
        at_s += rng.expovariate(rate_per_s)
        back = [moment for moment in back if moment > at_s]
        total += 1
        if len(back) < size:
            found += 1
            back.append(at_s + refill_s)
    assert found / total >= RATE_GOAL
    assert size <= math.ceil(rate_per_s * refill_s) + 4


@given(st.floats(0, 1000), st.floats(0.1, 10))
def test_more_traffic_asks_for_no_fewer(rate_per_s: float, refill_s: float) -> None:
    assert size_for_rate(rate_per_s, refill_s) <= size_for_rate(rate_per_s * 1.1, refill_s)


def test_nobody_asks_for_nothing() -> None:
    assert size_for_rate(0, 1) == size_for_replay([], 1) == 0


def test_the_formula_has_no_step_where_it_changes() -> None:
    below, above = size_for_rate(499.9, 1), size_for_rate(500.1, 1)
    assert 0 <= above - below <= 2


def test_the_hour_says_how_many() -> None:
    found = arrivals((1800, 7), (600, 6), (300, 7))
    assert wanted(found, 1.2, WIDE) == Size(size=7, why=Why.TRAFFIC)


def test_the_last_minute_counts_before_the_hour_knows_of_it() -> None:
    """40 in the last minute, one at a time: the hour has served one after the other."""
    found = arrivals(*((ago_s, 1) for ago_s in range(0, 60, 2)))
    size = wanted(found, 1.9, WIDE)
    assert size.why is Why.RATE
    assert size.size == size_for_rate(0.5, 1.9) > size_for_replay(found.seconds, 2)


def test_one_start_is_no_rate() -> None:
    assert wanted(arrivals((5, 1)), 10, WIDE).size == 1


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Bounds(least=9, most=20), Size(size=9, why=Why.LEAST)),
        (Bounds(least=1, most=3), Size(size=3, why=Why.MOST)),
        (Bounds(least=1, most=20, scheduled=12), Size(size=12, why=Why.SCHEDULE)),
        (Bounds(least=1, most=10, scheduled=12), Size(size=10, why=Why.MOST)),
        (Bounds(least=7, most=20, scheduled=7), Size(size=7, why=Why.TRAFFIC)),
    ],
    ids=["least", "most", "schedule", "schedule over the most", "equal to the least"],
)
def test_an_operator_has_the_last_word(bounds: Bounds, expected: Size) -> None:
    assert wanted(arrivals((300, 7)), 1, bounds) == expected


def test_it_grows_at_once() -> None:
    small, large = Size(size=3, why=Why.LEAST), Size(size=9, why=Why.TRAFFIC)
    assert settled(small, large, 5) == large
    assert settled(None, large, 5) == large


def test_it_shrinks_late_and_in_steps() -> None:
    """12 are warm, and one would do: nothing for a minute, then 6, 3, 1."""
    now = Size(size=1, why=Why.LEAST)
    at, told = 1_000, Size(size=12, why=Why.TRAFFIC)
    seen: list[tuple[int, int]] = []
    for _ in range(10):
        told = settled(told, now, at)
        seen.append((at, told.size))
        at += CALM_MS // 2
    half = CALM_MS // 2
    sizes = dict(seen)
    assert [sizes[1_000 + step * half] for step in range(8)] == [12, 12, 6, 6, 3, 3, 1, 1]
    assert told == now


def test_while_it_shrinks_the_reason_is_that_it_does() -> None:
    told = settled(Size(size=12, why=Why.TRAFFIC), Size(size=1, why=Why.LEAST), 1_000)
    assert told == Size(size=12, why=Why.CALMING, calm_since_ms=1_000)


def test_a_swing_does_not_make_it_shrink() -> None:
    """For half a minute fewer would do, again and again, and then as many as before."""
    large, small = Size(size=8, why=Why.TRAFFIC), Size(size=2, why=Why.TRAFFIC)
    told = large
    for at in range(0, 20 * CALM_MS, CALM_MS // 2):
        told = settled(told, small if at // (CALM_MS // 2) % 2 else large, at + 1)
        assert told.size == 8


def test_a_lower_most_is_obeyed_at_once() -> None:
    lowered = Size(size=2, why=Why.MOST)
    assert settled(Size(size=9, why=Why.TRAFFIC), lowered, 1) == lowered


def test_an_hour_of_one_a_second_is_quickly_looked_at() -> None:
    """Nothing is counted twice: each second is looked at a few times, not once for each size."""
    passes: list[None] = []

    class Counted(tuple[tuple[int, int], ...]):
        def __iter__(self) -> Iterator[tuple[int, int]]:
            passes.append(None)
            return super().__iter__()

    size_for_replay(Counted((second, 20) for second in range(3600)), 10)
    assert len(passes) <= 12


def test_the_goals_are_what_is_documented() -> None:
    assert (REPLAY_GOAL, RATE_GOAL) == (0.99, 0.90)
