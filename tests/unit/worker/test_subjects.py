"""Lines of the worker's log say of which session the job is that they are about."""

from __future__ import annotations

import logging

from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from sessions.assignment import Assignment
from sessions.ids import adopted_session_id, new_session_id, room_name
from worker.host import subjects
from worker.host.subjects import Subjects

SESSION = new_session_id()
ROOM = room_name(SESSION)


def job(number: int = 1, *, room: str = ROOM, metadata: str | None = None) -> Job:
    assignment = Assignment(session_id=SESSION, identity="user-1", epoch=3)
    text = assignment.to_metadata() if metadata is None else metadata
    return Job(id=f"AJ_{number}", room=Room(name=room), metadata=text)


def fields(known: Subjects, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "x", **extra})
    assert known.filter(record)
    names = ("session_id", "epoch", "room", "worker_id")
    return {name: vars(record)[name] for name in names if name in vars(record)}


def test_a_line_about_a_job_is_completed() -> None:
    known = Subjects("w1", may_adopt=True)
    known.learn(job())
    assert fields(known, job_id="AJ_1") == {
        "session_id": SESSION,
        "epoch": 3,
        "room": ROOM,
        "worker_id": "w1",
    }


def test_what_a_line_says_itself_stays() -> None:
    known = Subjects("w1", may_adopt=True)
    known.learn(job())
    said = fields(known, job_id="AJ_1", epoch=2, worker_id="w2")
    assert (said["epoch"], said["worker_id"]) == (2, "w2")


def test_of_other_lines_is_said_what_is_known() -> None:
    known = Subjects("w1", may_adopt=True)
    assert fields(known) == {"worker_id": "w1"}
    assert fields(known, job_id="AJ_9", room=ROOM) == {
        "session_id": SESSION,
        "room": ROOM,
        "worker_id": "w1",
    }


def test_jobs_of_others_rooms_are_adopted_or_not_known() -> None:
    adopting, refusing = (Subjects("w1", may_adopt=may) for may in (True, False))
    for known in (adopting, refusing):
        known.learn(job(room="demo", metadata=""))
    own = adopted_session_id("AJ_1")
    assert fields(adopting, job_id="AJ_1") == {"session_id": own, "epoch": 1, "worker_id": "w1"}
    assert fields(refusing, job_id="AJ_1") == {"worker_id": "w1"}


def test_only_so_many_are_remembered() -> None:
    known = Subjects("w1", may_adopt=True)
    for number in range(subjects._MOST + 1):
        known.learn(job(number))
    assert "session_id" not in fields(known, job_id="AJ_0")
    assert "session_id" in fields(known, job_id=f"AJ_{subjects._MOST}")
