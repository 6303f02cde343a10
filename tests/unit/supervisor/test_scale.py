"""How many workers there shall be: examples of each rule, and what holds for any fleet."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sessions.fleet import Worker
from sessions.minutes import History
from sessions.settings import MINUTES_KEPT
from sessions.views import FleetSummary
from supervisor import scale
from supervisor.scale import Reason, ScaleRules, Scaling, scaling_of, workers_for
from supervisor.scale_settings import ScaleSettings
from tests.unit.supervisor.scaling import RULES, history, summary, worker, workers

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
TENS = workers(10, 10, 10)
QUIET = history()


def desired(
    fleet: FleetSummary, rules: ScaleRules = RULES, past: History = QUIET
) -> tuple[int, Reason]:
    found = scaling_of(fleet, past, rules)
    return found.desired, found.reason


@pytest.mark.parametrize(
    ("calls", "number"), [(0, 0), (1, 1), (10, 1), (11, 2), (30, 3), (31, 4), (101, 11)]
)
def test_so_many_workers_as_the_calls_need(calls: int, number: int) -> None:
    assert desired(summary(calls, there=TENS)) == (number, Reason.LOAD)


def test_everything_that_it_comes_from_is_told() -> None:
    rules = replace(RULES, reserve=4)
    there = (*TENS, worker("old", capacity=99, active=3, is_draining=True))
    assert scaling_of(summary(25, 5, there=there), QUIET, rules) == Scaling(
        desired=4,
        current=3,
        reason=Reason.LOAD,
        calls=25,
        waiting=5,
        reserve=4,
        places=30,
        places_per_worker=10,
    )


def test_the_line_counts_as_far_as_there_are_slots() -> None:
    """Who waits for a slot is not helped by a worker."""
    assert desired(summary(30, 5, there=TENS)) == (4, Reason.LOAD)
    assert desired(summary(30, 5, there=TENS, slots=30)) == (3, Reason.MAX_SESSIONS)
    rules = replace(RULES, reserve=25)
    assert desired(summary(8, there=TENS, slots=20), rules) == (2, Reason.MAX_SESSIONS)
    assert scaling_of(summary(8, there=TENS, slots=20), QUIET, rules).reserve == 12
    # Slots were made fewer while calls went on: these keep their places.
    assert desired(summary(30, there=TENS, slots=10)) == (3, Reason.MAX_SESSIONS)


@pytest.mark.parametrize(("load", "reserve"), [(0, 1), (1, 1), (5, 1), (6, 2), (50, 10)])
def test_a_fifth_of_the_load_is_in_reserve(load: int, reserve: int) -> None:
    rules = replace(RULES, reserve=None)
    assert scaling_of(summary(load, there=TENS), QUIET, rules).reserve == reserve


def test_a_burst_is_reckoned_with_for_half_an_hour() -> None:
    """Thirty came within one minute, and are gone: so many may come again before a machine does."""
    rules = replace(RULES, reserve=None)

    def reserve(*rises: int) -> int:
        return scaling_of(summary(10, there=TENS), history(*rises), rules).reserve

    assert reserve(30, -30) == 30
    assert reserve(30, -30, *[0] * 28) == 30
    assert reserve(15, 15, -30) == 15
    assert reserve(30, -30, *[0] * 40) == 2


def test_a_reserve_that_is_set_is_what_it_says() -> None:
    rules = replace(RULES, reserve=3)
    assert scaling_of(summary(50, there=TENS), history(30, -30), rules).reserve == 3


@pytest.mark.parametrize(
    ("there", "usual"),
    [
        ((), 50),
        (workers(10, 10, 200), 10),
        (workers(10, 30), 10),
        ((worker("a", capacity=20, is_draining=True),), 20),
        ((worker("a", capacity=5, is_draining=True), worker("b", capacity=20)), 20),
        ((worker("a", capacity=0),), 50),
    ],
)
def test_a_worker_that_comes_is_taken_to_be_like_most(
    there: tuple[Worker, ...], usual: int
) -> None:
    assert scaling_of(summary(there=there), QUIET, RULES).places_per_worker == usual


def test_without_workers_those_that_come_are_counted() -> None:
    assert desired(summary(51)) == (2, Reason.LOAD)
    drain = (worker("a", is_draining=True), worker("b", is_draining=True))
    found = scaling_of(summary(11, there=drain), QUIET, RULES)
    assert (found.desired, found.current, found.places) == (2, 0, 0)
    # One that takes no calls at all is none.
    found = scaling_of(summary(11, there=workers(0)), QUIET, RULES)
    assert (found.desired, found.current) == (1, 0)


@pytest.mark.parametrize(
    ("places", "sizes", "number"),
    [
        (20, (5, 5, 5, 5, 5, 100), 4),
        (26, (5, 5, 5, 5, 5, 100), 6),
        (125, (5, 5, 5, 5, 5, 100), 6),
        (126, (5, 5, 5, 5, 5, 100), 7),
        (20, (100, 100), 1),
        (0, (5, 5), 0),
        (11, (), 3),
    ],
)
def test_whichever_workers_are_kept_their_places_are_enough(
    places: int, sizes: tuple[int, ...], number: int
) -> None:
    """One huge worker and many small ones: the huge one may be the one that is taken away."""
    assert workers_for(places, sizes=sizes, usual=5) == number


def test_bounds_hold_and_are_told() -> None:
    rules = replace(RULES, min_workers=2, max_workers=4)
    assert desired(summary(0, there=TENS), rules) == (2, Reason.MIN_WORKERS)
    assert desired(summary(40, there=TENS), rules) == (4, Reason.LOAD)
    assert desired(summary(41, there=TENS), rules) == (4, Reason.MAX_WORKERS)
    # There are more than there may be.
    assert desired(summary(20, there=workers(*[10] * 9)), rules) == (2, Reason.LOAD)


def test_more_are_wanted_at_once_and_fewer_after_a_while() -> None:
    """Thirty calls, of which twenty-five have ended so many minutes ago."""

    def after(minutes: int, rules: ScaleRules = RULES) -> tuple[int, Reason]:
        past = history(30, *[0] * 5, -25, *[0] * minutes)
        return desired(summary(5, there=TENS), rules, past)

    assert after(0) == (3, Reason.LATELY)
    assert after(5) == (3, Reason.LATELY)
    assert after(6) == (1, Reason.LOAD)
    at_once = replace(RULES, scale_in_after_s=0)
    assert after(0, at_once) == (1, Reason.LOAD)
    assert desired(summary(35, there=TENS), RULES, history(5)) == (4, Reason.LOAD)


def test_what_was_in_reserve_is_wanted_as_long_as_its_load_is() -> None:
    """A burst is not forgotten within the time for which fewer have to be enough."""
    rules = replace(RULES, reserve=None, scale_in_after_s=300)
    assert rules.minutes == 37
    past = history(30, -30, *[0] * 35, minutes=rules.minutes)
    assert desired(summary(0, there=TENS), rules, past) == (3, Reason.LOAD)


def test_who_left_the_line_makes_the_past_no_busier_than_there_are_slots() -> None:
    past = history(*[-50] * 5)
    assert desired(summary(10, there=TENS, slots=20), RULES, past) == (2, Reason.LATELY)


def test_settings_ask_for_no_more_history_than_is_kept() -> None:
    longest = ScaleSettings(scale_in_after_s=scale.LONGEST_SCALE_IN_S).scale_rules
    assert longest.minutes == MINUTES_KEPT
    with pytest.raises(ValidationError, match="less than or equal"):
        ScaleSettings(scale_in_after_s=scale.LONGEST_SCALE_IN_S + 1)
    with pytest.raises(ValidationError, match="SCALE_MAX_WORKERS must be"):
        ScaleSettings(scale_min_workers=5, scale_max_workers=4)


def test_the_page_lists_the_reasons() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE) == [one.value for one in Reason]
    assert "voicefleet_workers_desired" in PAGE
    assert inspect.getdoc(scale) is not None


SIZES = st.lists(st.integers(0, 200), max_size=12)
RISES = st.lists(st.integers(-40, 40), max_size=37)
FLEETS = st.builds(
    lambda calls, waiting, sizes, slots: summary(
        calls, waiting, there=workers(*sizes), slots=slots
    ),
    st.integers(0, 500),
    st.integers(0, 300),
    SIZES,
    st.integers(1, 1_000),
)
ANY_RULES = st.builds(
    lambda reserve, least, more, capacity, after_s: ScaleRules(
        reserve=reserve,
        min_workers=least,
        max_workers=max(1, least + more),
        worker_capacity=capacity,
        scale_in_after_s=after_s,
    ),
    st.none() | st.integers(0, 100),
    st.integers(0, 5),
    st.integers(0, 300),
    st.integers(1, 100),
    st.integers(0, 600),
)
PASTS = RISES.map(lambda rises: history(*rises))


@given(FLEETS, PASTS, ANY_RULES)
def test_any_number_is_within_its_bounds(
    fleet: FleetSummary, past: History, rules: ScaleRules
) -> None:
    found = scaling_of(fleet, past, rules)
    assert rules.min_workers <= found.desired <= rules.max_workers


@given(FLEETS, PASTS, ANY_RULES, st.randoms(use_true_random=False))
def test_any_number_is_enough_whichever_workers_are_kept(
    fleet: FleetSummary, past: History, rules: ScaleRules, dice: Random
) -> None:
    """The calls have their places, and the line and the reserve, as far as there are slots."""
    found = scaling_of(fleet, past, rules)
    sizes = [one.capacity for one in fleet.workers if one.capacity]
    dice.shuffle(sizes)
    kept = sizes[: found.desired]
    places = sum(kept) + (found.desired - len(kept)) * found.places_per_worker
    needed = max(found.calls, min(found.calls + found.waiting + found.reserve, fleet.capacity))
    assert places >= needed or found.desired == rules.max_workers


@given(FLEETS, PASTS, ANY_RULES, st.integers(0, 200), st.integers(0, 200))
def test_more_load_never_wants_fewer(
    fleet: FleetSummary, past: History, rules: ScaleRules, calls: int, waiting: int
) -> None:
    before = scaling_of(fleet, past, rules)
    more = summary(
        before.calls + calls,
        before.waiting + waiting,
        there=fleet.workers,
        slots=fleet.capacity,
    )
    assert scaling_of(more, past, rules).desired >= before.desired


@given(FLEETS, PASTS, ANY_RULES)
def test_a_longer_patience_never_wants_fewer(
    fleet: FleetSummary, past: History, rules: ScaleRules
) -> None:
    longer = replace(rules, scale_in_after_s=rules.scale_in_after_s + 120)
    assert scaling_of(fleet, past, longer).desired >= scaling_of(fleet, past, rules).desired
