"""What the drill makes of what it saw: whose agent was lost, whose call was cut, what is missed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bench.deploy_drill.deployers import Rollout
from bench.deploy_drill.held_calls import HeldCall
from bench.deploy_drill.histories import history
from bench.deploy_drill.moments import in_drain, moments
from bench.deploy_drill.replicas import Kind, Replica
from bench.deploy_drill.short_calls import ShortCall
from bench.deploy_drill.tables import Found, tables
from bench.deploy_drill.versions import Version
from bench.report import report
from bench.table import Aim, Row, Table
from devstack.services.process import RunningProcess
from sessions.journal import Event
from sessions.states import State
from worker.call.handover import REASON

LOST = "Its agent was lost."


def event(revision: int, status: State, epoch: int, detail: str | None = None) -> Event:
    now_ms = int(time.time() * 1000)
    return Event(revision=revision, at_ms=now_ms, status=status, epoch=epoch, detail=detail)


def test_an_agent_that_was_handed_over_is_none_that_was_lost() -> None:
    told = history(
        [
            event(1, State.STARTING, 1),
            event(2, State.ACTIVE, 1),
            event(3, State.RECOVERING, 2, REASON),
            event(4, State.ACTIVE, 2),
            event(5, State.RECOVERING, 3, LOST),
            event(6, State.ACTIVE, 3),
        ]
    )
    assert len(told.handed_over_at) == 1
    assert told.handed_over_at[0] == pytest.approx(time.monotonic(), abs=60)
    assert told.losses == 1
    assert not told.is_over


def test_an_agent_that_never_came_was_lost_too() -> None:
    told = history(
        [
            event(1, State.STARTING, 1),
            event(2, State.STARTING, 2, "No agent came in time."),
            event(3, State.ENDED, 2),
        ]
    )
    assert told.losses == 1
    assert told.is_over


def test_a_call_is_cut_by_a_loss_by_silence_and_by_its_end() -> None:
    fine = HeldCall(asked=2, answered_s=[0.5], interrupted_s=[0.7], handed_over=1)
    assert not fine.is_cut
    assert replace(fine, asked=3).is_cut
    assert replace(fine, losses=1).is_cut
    assert replace(fine, ended_because="ROOM_DELETED").is_cut


SERVED = ShortCall(phase="calm", asked_at=1.0, tries=1, greeted_s=0.4)
ANSWERED = HeldCall(asked=1, answered_s=[0.5])


def verdicts(short: ShortCall = SERVED, held: HeldCall = ANSWERED) -> dict[str, str | None]:
    """Return the verdicts on a drill of two calls, without rollouts."""
    found = Found(
        rollouts=(),
        moments=(),
        short=(short,),
        in_drain=(),
        in_drain_moved=0,
        held=(held,),
        replicas=2,
        every_s=1.0,
        drain_s=45.0,
        handover_s=20.0,
    )
    rows = (row for table in tables(found) for row in table.rows)
    return {row.name: row.verdict for row in rows if row.aim is not None}


def test_all_is_met_where_nobody_noticed() -> None:
    assert set(verdicts().values()) == {"met", None}


@pytest.mark.parametrize(
    ("call", "is_missed"),
    [
        (ShortCall(phase="calm", asked_at=1.0, tries=2, greeted_s=1.4), False),
        (ShortCall(phase="calm", asked_at=1.0, tries=3, refusal="Nobody answers."), True),
        (ShortCall(phase="calm", asked_at=1.0, tries=1, trouble="No agent came."), True),
    ],
    ids=["refused at first", "failed", "no greeting"],
)
def test_a_start_is_lost_once_the_client_has_given_up(call: ShortCall, is_missed: bool) -> None:
    assert call.was_refused_first == (call.tries > 1)
    found = verdicts(short=call)
    assert {found["calm"], found["all"]} == {"missed" if is_missed else "met"}


def test_a_call_that_was_cut_is_missed() -> None:
    found = verdicts(held=replace(ANSWERED, losses=1))
    assert found["cut"] == found["agents replaced without need"] == "missed"


@pytest.mark.parametrize(("figure", "status"), [(0, 0), (1, 1)])
def test_only_a_drill_fails_for_an_aim(tmp_path: Path, figure: int, status: int) -> None:
    row = Row(name="cut", figures={"calls": figure}, aim=Aim(limit=0))

    async def measure(_: object) -> list[Table]:
        return [Table(part="calls", question="what became of them", rows=[row])]

    file = tmp_path / "figures.json"
    assert report(measure, file, is_drill=True) == status
    assert file.exists()
    assert report(measure, None) == 0


OLD, NEW = (Version(name=name, folder=Path(name)) for name in ("old", "new"))
#: Of a process only the times count here.
NO_PROCESS = cast("RunningProcess", None)


def worker(name: str, version: Version, *, told_at: float | None = None) -> Replica:
    return Replica(
        kind=Kind.WORKER,
        version=version,
        port=1,
        url="",
        process=NO_PROCESS,
        began_at=4.0,
        worker_id=name,
        ready_at=9.0,
        told_at=told_at,
        gone_at=None if told_at is None else told_at + 30,
    )


def rolled_out(new: Replica, *old: Replica) -> Rollout:
    kind, before = Kind.WORKER, "1 x old"
    return Rollout(kind=kind, version=NEW, before=before, new=[new], old=[*old])


def test_sessions_are_counted_from_when_the_old_one_was_told_to_go() -> None:
    old, other, new = worker("a", OLD, told_at=10), worker("b", OLD), worker("c", NEW)
    given = [(9.5, new), (9.9, old), (11.0, old), (12.0, new), (13.5, old), (14.0, other)]

    found = moments(rolled_out(new, old), given)

    assert found.first_s == [2.0]
    assert found.last_s == [3.5]
    assert found.ready_s == [5.0]
    assert found.gone_s == [30.0]


def test_a_new_version_that_was_given_nothing_has_no_first_session() -> None:
    old, new = worker("a", OLD, told_at=10), worker("c", NEW)

    found = moments(rolled_out(new, old), [(9.5, new), (9.9, old)])

    assert found.first_s == [None]
    assert found.last_s == [0.0]


def test_calls_are_in_a_drain_that_had_an_agent_there_as_it_began() -> None:
    call = ShortCall(phase="workers", asked_at=1.0, worker_id="a", claimed_at=9.0, left_at=11.0)
    others = [
        replace(call, left_at=9.5),
        replace(call, claimed_at=10.5),
        replace(call, worker_id="b"),
        replace(call, worker_id=None, claimed_at=None),
    ]
    assert in_drain([call, *others], [worker("a", OLD, told_at=10)]) == [call]
