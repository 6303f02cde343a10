"""The days that the pool's size is tried on, and that what is played is what a pool does."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.pool.simulation import Fixed, Pool, Tuned
from bench.pool.traces import DAY_S, TRACES, Trace, read_trace
from supervisor.pool_size import Bounds


def play(trace: Trace, size: int, *, start_s: float = 1.0, at_once: int = 2) -> tuple[int, float]:
    day = Pool(Fixed(size), start_s=start_s, at_once=at_once).run(trace)
    return day.hits, day.idle_process_hours


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_a_day_in_order_and_the_same_each_time(name: str) -> None:
    trace = TRACES[name](1)
    assert all(before <= after for before, after in pairwise(trace))
    assert trace[0] >= 0
    assert trace[-1] < DAY_S
    assert list(trace) == list(TRACES[name](1))
    assert len(trace) > 500


@pytest.mark.parametrize("name", [name for name in TRACES if "recorded" not in name])
def test_another_seed_is_another_day(name: str) -> None:
    assert list(TRACES[name](1)) != list(TRACES[name](2))


def test_the_recorded_day_is_all_there() -> None:
    trace = TRACES["bank, recorded"](0)
    by_hour = [sum(1 for at_s in trace if at_s // 3600 == hour) for hour in (3, 10, 12, 23)]
    assert (len(trace), by_hour) == (2375, [1, 234, 176, 42])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9:41:07\nnoon", "line 2: 'noon' is no time"),
        ("24:00:00", "not within a day"),
        ("# nothing\n\n", "nobody comes"),
    ],
)
def test_a_trace_that_cannot_be_read_says_where(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_trace(text)


def test_times_of_a_trace_are_put_in_order() -> None:
    assert read_trace("10:00:00 # late\n9:00:00.5\n") == [32_400.5, 36_000.0]


def test_who_comes_after_a_refill_finds_a_process_and_who_comes_before_does_not() -> None:
    assert play([100, 101.5], 1)[0] == 2
    assert play([100, 100.5], 1)[0] == 1


def test_so_many_start_at_a_time() -> None:
    """Four are taken; two are back after a second, the others after two."""
    burst = [100.0] * 4
    assert play([*burst, *[101.5] * 4], 4)[0] == 6
    assert play([*burst, *[101.5] * 4], 4, at_once=4)[0] == 8


def test_an_idle_day_costs_its_size() -> None:
    hours = play([80_000.0], 3)[1]
    assert hours == pytest.approx(72, abs=0.01)


def test_the_tuned_pool_is_within_its_bounds_and_remembers_a_burst() -> None:
    """Six come at once, and again half an hour later: the first time one is warm."""
    trace = [3600.0] * 6 + [5400.0] * 6
    day = Pool(Tuned(Bounds(least=1, most=20)), start_s=1, at_once=2).run(trace)
    assert (day.hits, day.largest) == (1 + 6, 6)
    bounded = Pool(Tuned(Bounds(least=2, most=4)), start_s=1, at_once=2).run(trace)
    assert (bounded.hits, bounded.largest) == (2 + 4, 4)
