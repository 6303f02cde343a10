"""What the benchmark of assignments makes of its calls: nobody who heard nothing is left out."""

from __future__ import annotations

import pytest

from bench.assignment import main
from bench.assignment_stage import Call
from bench.assignment_table import Found, Sizes, table
from bench.table import Row, Table

PATIENCE_S = 60.0
SERVED = Call(assigned_ms=200, word_ms=500, is_warm=True)
SLOW = Call(assigned_ms=600, word_ms=2_500, is_warm=False)
LOST = Call(problem="no word within 60 s")


def found_table(found: Found) -> Table:
    return table({"process": found}, Sizes(), patience_s=PATIENCE_S)


def row(found: Found, beginning: str) -> Row:
    (one,) = (row for row in found_table(found).rows if row.name.startswith(beginning))
    return one


def test_who_was_not_served_counts_as_the_slowest() -> None:
    found = Found(warm=[SERVED, LOST, LOST])
    assert row(found, "assigned").figures["figure"] == PATIENCE_S * 1000
    assert row(found, "assigned").verdict == "missed"
    assert row(found, "first word").figures["served"] == "1 of 3"


def test_users_with_a_word_soon_are_a_share_of_all() -> None:
    found = Found(arrivals=[SERVED, SERVED, SLOW, LOST])
    assert row(found, "random arrivals").figures["figure"] == 50
    assert row(found, "random arrivals").verdict == "missed"


def test_a_burst_lasts_until_its_last_user_is_served() -> None:
    found = Found(bursts=[[SERVED, SLOW], [SERVED, SERVED], [SERVED, SLOW]])
    assert row(found, "2 at once").figures["figure"] == 2.5
    assert row(found, "2 at once").verdict == "met"
    assert row(Found(bursts=[[SERVED, LOST]]), "2 at once").verdict == "missed"


def test_only_users_who_were_served_count_for_the_rate() -> None:
    found = Found(quick=[SERVED, SERVED, LOST], quick_took_s=30)
    assert row(found, "agents a minute").figures["figure"] == 4
    assert row(found, "agents a minute").verdict == "missed"


def test_it_is_told_whether_cold_starts_were_cold() -> None:
    told = found_table(Found(warm=[SERVED], cold=[SLOW, SLOW])).notes[-1]
    assert told == "had by a warm process or seat: one by one 1 of 1, cold 0 of 2"


def test_nothing_was_measured_has_no_line() -> None:
    assert found_table(Found()).rows == []


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--only", "warm,tepid"])
    assert "tepid: not among warm, arrivals, burst, cold, throughput" in capsys.readouterr().err
