"""Whom a worker makes way for."""

from __future__ import annotations

import pytest

from sessions.fleet import Worker
from sessions.ids import WorkerId
from worker.host.colleagues import Colleagues

NOW_MS = 1_000_000
HEARTBEAT_S = 1.0
US, THEM = WorkerId("us"), WorkerId("them")


class Clock:
    """A clock that tests turn."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def listed(
    worker_id: WorkerId = THEM,
    *,
    active: int = 0,
    capacity: int = 50,
    is_draining: bool = False,
    seen_at_ms: int = NOW_MS,
) -> Worker:
    return Worker(
        id=worker_id,
        capacity=capacity,
        active=active,
        idle=1,
        load=0.0,
        is_draining=is_draining,
        host="here",
        version="1",
        livekit_id="AW_1",
        registered_at_ms=NOW_MS - 60_000,
        seen_at_ms=seen_at_ms,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def colleagues(clock: Clock) -> Colleagues:
    return Colleagues(US, HEARTBEAT_S, clock)


def test_one_that_is_there_and_has_places(colleagues: Colleagues) -> None:
    colleagues.note([listed(US), listed(active=45)])
    assert colleagues.would_take(THEM)


def test_nobody_before_the_list_was_seen(colleagues: Colleagues) -> None:
    assert not colleagues.would_take(THEM)


def test_never_for_itself(colleagues: Colleagues) -> None:
    colleagues.note([listed(US), listed()])
    assert not colleagues.would_take(US)


@pytest.mark.parametrize(
    "other",
    [
        listed(WorkerId("another")),
        listed(is_draining=True),
        listed(active=46),
        listed(active=2, capacity=2),
        listed(seen_at_ms=NOW_MS - 2001),
    ],
    ids=["not listed", "draining", "nearly full", "full", "silent"],
)
def test_not_for_one_that_cannot_be_counted_on(colleagues: Colleagues, other: Worker) -> None:
    colleagues.note([listed(US), other])
    assert not colleagues.would_take(THEM)


def test_one_place_of_a_few_is_enough(colleagues: Colleagues) -> None:
    colleagues.note([listed(US), listed(active=1, capacity=2)])
    assert colleagues.would_take(THEM)


def test_a_look_that_is_too_old_counts_for_nothing(colleagues: Colleagues, clock: Clock) -> None:
    colleagues.note([listed(US), listed()])
    clock.now_s += 2 * HEARTBEAT_S - 0.1
    assert colleagues.would_take(THEM)
    clock.now_s += 0.2
    assert not colleagues.would_take(THEM)
