from __future__ import annotations

import json

import pytest

from sessions.assignment import Assignment
from sessions.ids import UserId, WorkerId, new_session_id, room_name


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


def of_job(**changes: object) -> Assignment | None:
    """Read an assignment as the job of its own session's room has it, but for the changes."""
    session_id = new_session_id()
    made = {"session_id": session_id, "identity": "user-1", **changes}
    return Assignment.of_job(json.dumps(made), room_name(session_id), job_id="AJ_1", may_adopt=True)


def test_in_a_room_of_ours_there_is_its_own_session_and_its_user_is_known() -> None:
    """Whoever can dispatch could put the agent of one session into the room of another."""
    assert of_job() is not None
    assert of_job(identity="") is None
    others = room_name(new_session_id())
    made = Assignment(session_id=new_session_id(), identity="user-1", foreign_room=others)
    found = Assignment.of_job(made.to_metadata(), others, job_id="AJ_1", may_adopt=True)
    assert found is None
