"""Which jobs a worker takes."""

from __future__ import annotations

import json

import pytest
from livekit import api
from livekit.agents import AssignmentTimeoutError, JobRequest
from livekit.agents.job import JobAcceptArguments
from livekit.protocol import agent

from sessions.assignment import Assignment
from sessions.ids import UserId, WorkerId, new_identity, new_session_id, room_name
from worker.host.admission import Answer, Gate

SESSION = new_session_id()
ROOM = room_name(SESSION)


def metadata(prefer: str | None = None) -> str:
    return Assignment(
        session_id=SESSION,
        user_id=UserId("ada"),
        identity=new_identity(),
        prefer=None if prefer is None else WorkerId(prefer),
    ).to_metadata()


@pytest.mark.parametrize(("active", "answer"), [(0, Answer.ACCEPT), (1, Answer.ACCEPT)])
def test_takes_jobs_while_there_is_room(active: int, answer: Answer) -> None:
    assert Gate(2, lambda: active).decide(metadata(), ROOM) is answer


@pytest.mark.parametrize("active", [2, 3])
def test_declines_when_full_so_that_another_worker_is_asked(active: int) -> None:
    assert Gate(2, lambda: active).decide(metadata(), ROOM) is Answer.DECLINE


@pytest.mark.parametrize("why", ["is_draining", "is_paused"])
def test_declines_while_draining(why: str) -> None:
    gate = Gate(2, lambda: 0)
    setattr(gate, why, True)
    assert gate.decide(metadata(), ROOM) is Answer.DECLINE


@pytest.mark.parametrize("foreign", ["", "{}", "null", '{"session_id": "x"}'])
def test_refuses_what_is_no_session_of_ours(foreign: str) -> None:
    assert Gate(2, lambda: 0).decide(foreign, ROOM) is Answer.REFUSE


@pytest.mark.parametrize("room", ["demo", "", "vf-" + "0" * 32])
def test_refuses_an_assignment_for_another_room(room: str) -> None:
    assert Gate(2, lambda: 0).decide(metadata(), room) is Answer.REFUSE


def test_takes_what_was_sent_without_metadata_within_its_capacity() -> None:
    assert Gate(1, lambda: 0).decide("", "demo") is Answer.ACCEPT
    assert Gate(1, lambda: 1).decide("", "demo") is Answer.DECLINE


def test_refuses_it_where_it_is_not_to_be_adopted() -> None:
    assert Gate(1, lambda: 0, may_adopt=False).decide("", "demo") is Answer.REFUSE


@pytest.mark.parametrize("foreign", ["{}", "null", "hello", " "])
def test_refuses_metadata_of_somebody_else_in_any_room(foreign: str) -> None:
    assert Gate(1, lambda: 0).decide(foreign, "demo") is Answer.REFUSE


@pytest.mark.parametrize(("idle", "answer"), [(0, Answer.DECLINE), (1, Answer.ACCEPT)])
def test_declines_what_would_find_no_process(idle: int, answer: Answer) -> None:
    gate = Gate(2, lambda: 0, can_start=lambda starting: idle > starting)
    assert gate.decide(metadata(), ROOM) is answer


@pytest.mark.parametrize(
    ("prefer", "answer"),
    [(None, Answer.ACCEPT), ("there", Answer.MAKE_WAY), ("gone", Answer.ACCEPT)],
)
def test_makes_way_for_the_worker_that_had_the_user(prefer: str | None, answer: Answer) -> None:
    gate = Gate(2, lambda: 0, would_take=lambda worker_id: worker_id == "there")
    assert gate.decide(metadata(prefer), ROOM) is answer


def test_is_full_before_it_makes_way() -> None:
    gate = Gate(2, lambda: 2, would_take=lambda _: True)
    assert gate.decide(metadata("there"), ROOM) is Answer.DECLINE


@pytest.mark.parametrize("prefer", ["", "a b", "x" * 65, "w\n"])
def test_an_assignment_names_no_worker_that_cannot_be(prefer: str) -> None:
    text = metadata("there").replace('"there"', json.dumps(prefer))
    assert Gate(2, lambda: 0).decide(text, ROOM) is Answer.REFUSE


async def test_a_job_that_livekit_has_given_up_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a worker that stood still answers one: LiveKit waits for 3 s."""

    async def on_accept(_: JobAcceptArguments) -> None:
        raise AssignmentTimeoutError

    async def on_reject(terminate: bool) -> None:
        raise AssertionError(terminate)

    job = agent.Job(id="AJ_1", metadata=metadata(), room=api.Room(name=ROOM))
    gate = Gate(1, lambda: 0)
    await gate.answer(JobRequest(job=job, on_reject=on_reject, on_accept=on_accept))
    assert [one.getMessage() for one in caplog.records] == ["job was not assigned in time"]
    assert gate.taken == 0
