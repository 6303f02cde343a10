"""How long a worker waits before it tries LiveKit again."""

from __future__ import annotations

import pytest

from worker.host.connection import retry_delay_s


@pytest.mark.parametrize(("failures", "bound_s"), [(0, 0.5), (1, 1.0), (3, 4.0), (9, 10.0)])
def test_pauses_grow_up_to_ten_seconds(failures: int, bound_s: float) -> None:
    assert all(0 < retry_delay_s(failures) <= bound_s for _ in range(200))


def test_workers_do_not_come_back_all_at_once() -> None:
    pauses = [retry_delay_s(9) for _ in range(200)]
    assert min(pauses) < 4
    assert max(pauses) > 7


def test_ten_thousand_failures_are_no_larger_number_than_ten() -> None:
    assert 0 < retry_delay_s(10_000) <= 10
