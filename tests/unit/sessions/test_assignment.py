from __future__ import annotations

import pytest

from sessions.assignment import Assignment
from sessions.ids import UserId, new_session_id


def test_it_travels_as_metadata() -> None:
    assignment = Assignment(
        session_id=new_session_id(), user_id=UserId("ada"), identity="user-1", epoch=3
    )
    assert Assignment.from_metadata(assignment.to_metadata()) == assignment


@pytest.mark.parametrize(
    "metadata",
    ["", "{}", "null", "hello", '{"session_id": "x"}', "[" * 10_000],
)
def test_anything_else_is_not_an_assignment(metadata: str) -> None:
    assert Assignment.from_metadata(metadata) is None
