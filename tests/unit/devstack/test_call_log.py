"""What a caller makes of the states that an agent tells."""

from __future__ import annotations

import math

import pytest

from devstack.talk.calls import CallLog


@pytest.mark.parametrize(
    ("states", "reacted_at"),
    [
        # It does not tell its state.
        ([], 5.0),
        # What is heard is the end of its greeting.
        ([(1.0, "speaking"), (2.0, "listening")], math.inf),
        ([(1.0, "speaking"), (2.0, "listening"), (6.0, "thinking")], 5.7),
        # It spoke all the time, was interrupted, and came back.
        ([(1.0, "speaking"), (5.5, "listening"), (7.0, "speaking")], 6.7),
        # Its state came a little late; its answer may have been heard before.
        ([(1.0, "listening"), (5.1, "speaking")], 5.0),
        # Another one came.
        ([(1.0, "speaking"), (6.0, "initializing"), (7.0, "listening")], math.inf),
    ],
)
def test_an_answer_follows_a_reaction(states: list[tuple[float, str]], reacted_at: float) -> None:
    log = CallLog(states=states)
    assert log.reacted_at(5.0) == pytest.approx(reacted_at)
