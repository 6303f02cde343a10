"""What a caller makes of the states that an agent tells."""

from __future__ import annotations

import pytest

from devstack.talk.calls import CallLog


@pytest.mark.parametrize(
    ("states", "has_reacted"),
    [
        # It does not tell its state.
        ([], True),
        # What is heard is the end of its greeting.
        ([(1.0, "speaking"), (2.0, "listening")], False),
        ([(1.0, "speaking"), (2.0, "listening"), (6.0, "thinking")], True),
        # It spoke all the time, was interrupted, and came back.
        ([(1.0, "speaking"), (5.5, "listening"), (7.0, "speaking")], True),
        # Another one came.
        ([(1.0, "speaking"), (6.0, "initializing"), (7.0, "listening")], False),
    ],
)
def test_an_answer_follows_a_reaction(states: list[tuple[float, str]], has_reacted: bool) -> None:
    log = CallLog(states=states)
    assert log.has_reacted_since(5.0) is has_reacted
