from __future__ import annotations

import math

import pytest

from voicefleet_client.errors import ApiError, Unreachable
from voicefleet_client.pauses import Patience, Pauses


def test_pauses_double_up_to_a_limit() -> None:
    pauses = Pauses(first_s=1, most_s=4)
    for ceiling_s in (1, 2, 4, 4):
        assert ceiling_s / 2 <= pauses.next_s() <= ceiling_s
    pauses.reset()
    assert pauses.next_s() <= 1


def test_pauses_differ() -> None:
    assert len({Pauses().next_s() for _ in range(20)}) > 1
    assert len({Pauses().next_s(30) for _ in range(20)}) > 1


def test_no_pause_is_shorter_than_asked_for() -> None:
    pauses = Pauses(first_s=1, most_s=4)
    assert all(7 <= pauses.next_s(7) <= 9 for _ in range(20))


def test_what_does_not_pass_is_raised_at_once() -> None:
    patience = Patience(patience_s=math.inf, silence_s=1)
    for status in (400, 401, 404, 409, 410):
        error = ApiError("no", status=status, code="x")
        with pytest.raises(ApiError):
            patience.pause_after(error)
    for passing in (ApiError("no", status=429, code="x"), Unreachable("nobody")):
        assert patience.pause_after(passing) > 0


def test_a_pause_that_is_too_long_is_raised() -> None:
    patience = Patience(patience_s=math.inf, silence_s=1)
    with pytest.raises(Unreachable):
        patience.pause_after(Unreachable("later", retry_after_s=61))
    assert patience.pause_after(Unreachable("later", retry_after_s=60)) >= 60


def test_patience_ends() -> None:
    with pytest.raises(Unreachable, match="nobody"):
        Patience(patience_s=0, silence_s=1).pause_after(Unreachable("nobody"))
    empty = Patience(patience_s=0, silence_s=0)
    with pytest.raises(Unreachable, match="nothing of use"):
        empty.hear(is_understood=False)
    empty.hear(is_understood=True)
