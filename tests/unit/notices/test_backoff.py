"""Pauses grow, are never the same for all, and are bounded whatever a receiver wants."""

from __future__ import annotations

from itertools import pairwise

import pytest

from notices.backoff import LONGEST_PAUSE_S, pause_s


def test_pauses_grow_until_they_stay() -> None:
    pauses = [pause_s(failures, chance=lambda: 0.5) for failures in range(1, 9)]
    assert pauses[0] == 1.0
    assert all(one < other for one, other in pairwise(pauses[:5]))
    assert set(pauses[4:]) == {LONGEST_PAUSE_S}


def test_they_are_not_the_same_for_all() -> None:
    assert pause_s(1, chance=lambda: 0.0) == pytest.approx(0.8)
    assert pause_s(1, chance=lambda: 1.0) == pytest.approx(1.2)
    assert len({pause_s(3) for _ in range(20)}) > 1


@pytest.mark.parametrize(("asked_s", "expected"), [(0.5, 1.0), (30.0, 30.0), (1e9, 300.0)])
def test_the_receivers_wish_counts_within_bounds(asked_s: float, expected: float) -> None:
    assert pause_s(1, asked_s, chance=lambda: 0.5) == expected
