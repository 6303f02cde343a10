from __future__ import annotations

import json

import pytest

from sessions.assignment import Assignment
from sessions.ids import UserId, WorkerId, new_session_id


def test_it_travels_as_metadata() -> None:
    assignment = Assignment(
        session_id=new_session_id(),
        user_id=UserId("ada"),
        identity="user-1",
        epoch=3,
        persona="interviewer",
        prefer=WorkerId("host-1"),
    )
    assert Assignment.from_metadata(assignment.to_metadata()) == assignment


def test_what_a_later_version_adds_is_passed_over() -> None:
    assignment = Assignment(session_id=new_session_id(), identity="user-1")
    later = {**json.loads(assignment.to_metadata()), "added_since": {"much": 1}}
    assert Assignment.from_metadata(json.dumps(later)) == assignment


@pytest.mark.parametrize(
    "metadata",
    ["", "{}", "null", "hello", '{"session_id": "x"}', "[" * 10_000],
)
def test_anything_else_is_not_an_assignment(metadata: str) -> None:
    assert Assignment.from_metadata(metadata) is None
