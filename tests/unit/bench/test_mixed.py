"""What the mixed load makes of its figures: shares of all that was asked, verdicts, what failed."""

from __future__ import annotations

import argparse
from collections import Counter

import pytest

from bench.race.asking import Answers
from bench.race.hook import RoomNews
from bench.race.mixed import Mix, Plan
from bench.race.mixed_tables import mixed_tables
from bench.race.run import make_parser
from bench.report import number
from bench.table import Row, Table

PLAN = Plan(minutes=5, held=20, talking=5, every_s=1)


def mix(*, asked: int, first_s: list[float], held_ended: int = 20, answered: int = 100) -> Mix:
    return Mix(
        asked=asked,
        first_s=first_s,
        held_began=20,
        held_ended=held_ended,
        questions=100,
        answered_s=[0.5] * answered,
        cores={"worker": 0.8, "livekit": 0.3, "users": 0.45},
        machine_percent=90.0,
        late_p99_ms=12.0,
        pss_mb=700.0,
    )


def by_name(table: Table) -> dict[str, Row]:
    return {row.name: row for row in table.rows}


def test_all_served_and_most_of_them_soon_is_as_it_shall_be() -> None:
    found = mix(asked=10, first_s=[0.9] * 8 + [2.5] * 2)

    starts, held, _ = mixed_tables({"shared": found}, PLAN)

    assert [row.judged for row in starts.rows] == ["served %", "in 2 s %"]
    assert [row.verdict for row in starts.rows] == ["met", "met"]
    assert starts.rows[0].figures["p90 s"] == 2.5
    assert [row.judged for row in held.rows] == ["held, end", "answered %"]
    assert [row.verdict for row in held.rows] == ["met", "met"]
    assert held.rows[0].figures["response p50 ms"] == 500


def test_one_of_many_that_was_not_served_is_seen() -> None:
    found = mix(asked=3000, first_s=[0.9] * 2999, held_ended=19, answered=99)

    starts, held, _ = mixed_tables({"process": found}, PLAN)

    assert by_name(starts)["process"].figures["served %"] == 99.9
    assert by_name(starts)["process"].verdict == "missed"
    assert [row.verdict for row in held.rows] == ["missed", "missed"]


def test_those_who_were_not_served_are_in_no_share_and_slowest() -> None:
    found = mix(asked=10, first_s=[0.5] * 6)
    found.failures = Counter({"no agent within 15 s": 3, "did not get in (ConnectError)": 1})
    found.note([None, TimeoutError("too late"), TimeoutError("too late")])
    found.held_failures = Counter({"no agent within 15 s": 2})

    starts, held, _ = mixed_tables({"plain": found}, PLAN)

    (row,) = starts.rows
    assert row.aim is None
    assert row.figures["in 2 s %"] == 60
    assert row.figures["p50 s"] == 0.5
    assert row.figures["p90 s"] is None
    assert starts.notes[-2:] == (
        "plain, not served: 3 times: no agent within 15 s, 1 times: did not get in (ConnectError)",
        "plain, errors: 2 times: TimeoutError: too late",
    )
    assert held.notes[-1] == "plain, without an agent at the begin: 2 times: no agent within 15 s"


def test_a_worker_that_served_nobody_has_a_table_too() -> None:
    found = mix(asked=5, first_s=[], held_ended=0)
    found.questions, found.answered_s = 0, []

    starts, held, _ = mixed_tables({"shared": found}, PLAN)

    assert [row.verdict for row in starts.rows] == ["missed", "missed"]
    assert held.rows[0].verdict == "missed"
    # Nobody was there to ask: no verdict on the answers.
    assert held.rows[1].verdict is None


def test_what_the_users_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    *_, cost = mixed_tables({"shared": mix(asked=1, first_s=[1.0])}, PLAN)

    (row,) = cost.rows
    assert row.figures["machine"] == 1.8
    assert row.figures["users, of machine %"] == 25
    assert row.aim is None


def test_a_question_without_an_answer_yet_is_unanswered() -> None:
    answers = Answers(asked=3, answered_s=[0.5, 0.6])

    assert answers.unanswered == 1


def test_an_agent_is_there_until_it_leaves_or_the_room_is_closed() -> None:
    assert not RoomNews().has_agent
    assert RoomNews(agent_active_at=1.0).has_agent
    assert not RoomNews(agent_active_at=1.0, agent_left_at=2.0).has_agent
    assert not RoomNews(agent_active_at=1.0, finished_at=2.0).has_agent


def test_the_mixed_load_has_its_options() -> None:
    given = make_parser().parse_args(["--minutes", "0.7", "--every", "0.5", "--held", "8"])

    assert (given.minutes, given.every, given.held, given.talking_held) == (0.7, 0.5, 8, 5)
    with pytest.raises(argparse.ArgumentTypeError, match="no number of seconds"):
        number("none", 0.05, 60, "number of seconds")
    with pytest.raises(argparse.ArgumentTypeError, match=r"from 0\.05 to 60"):
        number("61", 0.05, 60, "number of seconds")
