"""When warm processes are made, and when that can wait."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from worker.host.refill import Refill, RefillTimes


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refill(clock: Clock) -> Refill:
    return Refill(clock)


def test_as_many_as_are_wanted(refill: Refill) -> None:
    assert [refill.target(3, idle) for idle in (0, 1, 3, 5)] == [3, 3, 3, 3]


def test_it_waits_while_a_call_starts(refill: Refill, clock: Clock) -> None:
    refill.call_starts(is_full=False)
    assert refill.target(3, 2) == 0
    clock.now += 0.9
    assert refill.target(3, 2) == 0
    clock.now += 0.2
    assert refill.target(3, 2) == 3


def test_it_does_not_wait_when_none_is_left(refill: Refill) -> None:
    refill.call_starts(is_full=False)
    assert refill.target(3, 0) == 3


def test_it_waits_longer_when_more_calls_start(refill: Refill, clock: Clock) -> None:
    refill.call_starts(is_full=False)
    clock.now += 0.9
    refill.call_starts(is_full=False)
    clock.now += 0.9
    assert refill.target(9, 7) == 0


def test_a_stream_of_calls_does_not_keep_it_empty(refill: Refill, clock: Clock) -> None:
    """A call every 0.5 s: it yields for 3 s, then fills up all the same, until it is full."""
    targets = []
    for _ in range(12):
        refill.call_starts(is_full=False)
        targets.append(refill.target(9, 5))
        clock.now += 0.5
    assert targets == [0] * 6 + [9] * 6
    refill.call_starts(is_full=True)
    assert refill.target(9, 8) == 0


def test_after_a_failure_it_tries_one_after_twice_as_long_each_time(
    refill: Refill, clock: Clock
) -> None:
    delays = []
    for _ in range(9):
        delays.append(refill.process_failed())
        assert refill.target(3, 0) == 0
        clock.now += delays[-1]
        assert refill.target(3, 0) == 1
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert refill.failures == 9


def test_those_that_fail_together_count_as_one_attempt(refill: Refill, clock: Clock) -> None:
    assert refill.process_failed() == 1
    clock.now += 0.25
    assert refill.process_failed() == 0.75
    assert refill.failures == 2
    clock.now += 0.75
    assert refill.process_failed() == 2


def test_one_that_starts_ends_the_trouble(refill: Refill, clock: Clock) -> None:
    for _ in range(5):
        clock.now += refill.process_failed()
    refill.process_ready()
    assert refill.failures == 0
    assert refill.target(3, 1) == 3
    assert refill.process_failed() == 1


def test_with_some_left_it_tries_one_more(refill: Refill, clock: Clock) -> None:
    clock.now += refill.process_failed()
    assert refill.target(5, 2) == 3
    assert refill.target(2, 2) == 2


def test_it_is_tried_even_where_none_is_wanted(refill: Refill, clock: Clock) -> None:
    """Else a worker without a pool would take no call for ever after."""
    clock.now += refill.process_failed()
    assert refill.target(0, 0) == 1


def test_how_long_one_takes_to_be_replaced_is_the_median_of_the_last_ones(clock: Clock) -> None:
    times = RefillTimes(clock)
    assert times.typical_s is None
    for took_s in (1.0, 5.0, 2.0):
        times.one_taken()
        clock.now += took_s
        times.one_ready()
    assert times.typical_s == 2.0


def test_of_several_that_were_taken_the_first_is_replaced_first(clock: Clock) -> None:
    times = RefillTimes(clock)
    times.one_taken()
    clock.now += 1
    times.one_taken()
    clock.now += 1
    times.one_ready()
    assert times.typical_s == 2.0
    times.one_ready()
    assert times.typical_s == 1.5


def test_what_replaces_none_is_not_counted(clock: Clock) -> None:
    """1. A pool becomes larger. 2. It is made smaller while one is owed; later it grows again."""
    times = RefillTimes(clock)
    times.one_ready()
    assert times.typical_s is None
    times.one_taken()
    times.all_there()
    clock.now += 600
    times.one_ready()
    assert times.typical_s is None
