"""How many messages a user may send."""

from __future__ import annotations

from worker.call.typed import Allowance


def test_a_few_at_once_then_one_each_second() -> None:
    now = 0.0
    allowance = Allowance(3, 1.0, lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    now = 1.0
    assert [allowance.take() for _ in range(2)] == [True, False]


def test_who_was_silent_for_long_may_send_no_more_at_once() -> None:
    now = 0.0
    allowance = Allowance(3, 1.0, lambda: now)
    now = 1_000.0
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
