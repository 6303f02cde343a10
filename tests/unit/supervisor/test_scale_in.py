"""Which worker is drained because there are too many, and which comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions.fleet import Worker
from supervisor.scale import Scaling, scaling_of
from supervisor.scale_in import counted_on, to_drain, to_restore
from tests.unit.supervisor.scaling import RULES, history, summary, worker

LEASE_S = 6.0


def scaling(*there: Worker, reserve: int = 0, max_workers: int = 100) -> Scaling:
    """Return what is wanted of these workers, with the calls that they have."""
    rules = replace(RULES, reserve=reserve, max_workers=max_workers)
    calls = sum(one.active for one in there)
    return scaling_of(summary(calls, there=there), history(), rules)


def drained(
    *there: Worker, reserve: int = 0, max_workers: int = 100, starting: int = 0
) -> str | None:
    found = scaling(*there, reserve=reserve, max_workers=max_workers)
    chosen = to_drain(list(there), replace(found, calls=found.calls + starting))
    return None if chosen is None else chosen.id


def test_the_one_with_the_fewest_calls_is_drained() -> None:
    there = [worker("a", active=4), worker("b", active=1), worker("c", active=2)]
    assert drained(*there) == "b"


def test_of_several_the_one_that_came_last() -> None:
    there = [worker(name, registered_at_ms=ms) for name, ms in (("a", 5), ("b", 9), ("c", 7))]
    assert drained(*there, reserve=1) == "b"


def test_nobody_while_all_are_wanted() -> None:
    assert drained(worker("a", active=9), worker("b", active=2)) is None
    assert drained(worker("a", active=9), worker("b", active=1)) == "b"
    assert drained(worker("a", active=8), worker("b", active=1), reserve=2) is None
    assert drained(worker("a", active=7), worker("b", active=1), reserve=2) == "b"


def test_the_reserve_stays_free_although_there_are_more_than_there_may_be() -> None:
    """A bound says one; two are there. One alone has two places free, the other one three."""
    there = [worker("a", active=8), worker("b", active=7)]
    assert drained(*there, max_workers=1, reserve=4) is None
    assert drained(*there, max_workers=1, reserve=3) == "a"
    assert drained(*there, max_workers=1, reserve=2) == "b"
    # A call that starts is with nobody yet.
    assert drained(*there, max_workers=1, reserve=2, starting=1) == "a"
    assert drained(*there, max_workers=1, reserve=2, starting=2) is None


def test_a_small_one_may_go_where_the_large_one_may_not() -> None:
    """The large one has the fewest calls, and the others no place without it."""
    there = [worker("large", capacity=50), *(worker(name, active=1) for name in ("a", "b"))]
    assert drained(*there, reserve=30, max_workers=1) == "a"


def test_only_who_can_take_calls_is_counted_on() -> None:
    there = [
        worker("a"),
        worker("not known to LiveKit", is_known=False),
        worker("silent", silent_ms=3_001),
        worker("heard of", silent_ms=2_999),
        worker("drains", is_draining=True),
        worker("takes none", capacity=0),
    ]
    found = counted_on(summary(there=there), LEASE_S)
    assert [one.id for one in found] == ["a", "heard of"]


@pytest.mark.parametrize(("number", "ids"), [(-1, ""), (0, ""), (1, "b"), (2, "bc"), (9, "bcaf")])
def test_the_fullest_comes_back_first_and_who_is_full_last(number: int, ids: str) -> None:
    there = [
        worker("a", active=1, surplus_since_ms=1),
        worker("b", active=7, surplus_since_ms=2),
        worker("c", active=3, surplus_since_ms=3),
        worker("f", active=10, surplus_since_ms=4),
        worker("operator", active=9, is_draining=True),
        worker("takes calls", active=9),
    ]
    assert "".join(one.id for one in to_restore(there, number)) == ids
