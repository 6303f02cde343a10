"""The formula of a fleet's size: arithmetic, checked by hand; and what a run tells it."""

from __future__ import annotations

import argparse
import math

import pytest

from bench.capacity.__main__ import main, make_parser
from bench.capacity.check import check_table, fed_table, load_of, measured_table, starts_table
from bench.capacity.fit import fitted
from bench.capacity.fleet import State
from bench.capacity.limits import limits, redis_s, sessions_of_fleet
from bench.capacity.measure import Look, Run, Spell
from bench.capacity.model import (
    SHARED,
    Cost,
    Load,
    Machine,
    cores,
    machines,
    memory_mb,
    session_cores,
    sessions_on,
)
from bench.capacity.sizing import sizing_tables

COST = Cost(
    silent_cores=0.02,
    quiet_cores=0.08,
    talking_cores=0.10,
    call_cpu_s=0.6,
    session_mb=7,
    base_cores=0.05,
    base_mb=500,
)
SILENT = Load(sessions=100, talking=0, silent=1)


def test_sessions_are_starts_times_how_long_they_last() -> None:
    load = Load(sessions=600, minutes_per_call=5)

    assert load.starts_per_s == pytest.approx(2)
    assert load.held(2) == pytest.approx(600)


def test_a_call_pays_for_its_start_over_its_time() -> None:
    short = Load(sessions=1, minutes_per_call=1, talking=0, silent=1)

    assert session_cores(COST, short) == pytest.approx(0.02 + 0.6 / 60)
    assert session_cores(COST, SILENT) == pytest.approx(0.02)


def test_a_mix_takes_its_shares() -> None:
    load = Load(sessions=10, talking=0.5, silent=0.2)

    assert load.quiet == pytest.approx(0.3)
    assert cores(COST, load) == pytest.approx(0.05 + 10 * (0.05 + 0.024 + 0.004))


def test_twice_the_programs_take_twice_the_base_and_as_much_for_the_sessions() -> None:
    assert cores(COST, SILENT, 2) - cores(COST, SILENT) == pytest.approx(0.05)
    assert memory_mb(COST, SILENT, 2) == pytest.approx(2 * 500 + 700)


def test_a_machine_holds_what_its_scarcest_part_holds() -> None:
    by_cores = Machine(cores=8, memory_mb=16_384, fill=0.7)
    by_memory = Machine(cores=8, memory_mb=1_000, fill=0.7)
    by_places = Machine(cores=8, memory_mb=16_384, fill=0.7, most_sessions=50)
    by_network = Machine(cores=8, memory_mb=16_384, mbits=10, fill=1)

    assert sessions_on(by_cores, COST, SILENT) == math.floor((5.6 - 0.05) / 0.02)
    assert sessions_on(by_memory, COST, SILENT) == math.floor((700 - 500) / 7)
    assert sessions_on(by_places, COST, SILENT) == 50
    assert sessions_on(by_network, COST, SILENT, kbits=100) == 100


def test_what_does_not_fit_is_told() -> None:
    tiny = Machine(cores=1, memory_mb=100)

    assert sessions_on(tiny, COST, SILENT) == 0
    with pytest.raises(ValueError, match="holds no session"):
        machines(SILENT, 0)


def test_the_last_machine_need_not_be_full() -> None:
    assert machines(SILENT, 100) == 1
    assert machines(SILENT, 99) == 2
    assert machines(Load(sessions=0), 99) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"sessions": -1.0},
        {"sessions": 1.0, "minutes_per_call": 0.0},
        {"sessions": 1.0, "talking": 0.6, "silent": 0.6},
        {"sessions": 1.0, "talking": -0.1},
    ],
)
def test_a_load_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"cannot|at most"):
        Load(**wrong)


def test_limits_come_in_the_order_in_which_they_break() -> None:
    found = limits(Load(sessions=1, minutes_per_call=5), Machine())
    counts = {one.name: one.sessions for one in found}

    assert [one.sessions for one in found] == sorted(one.sessions for one in found)
    assert counts["ALL_STARTS_PER_MINUTE, default"] == pytest.approx(3_000)
    assert counts["Redis: one core"] < counts["Redis: one core, no AFFINITY"]
    assert counts["token server: one process"] == pytest.approx(
        300 / SHARED.tokenserver_start_cpu_s
    )


def test_a_core_of_redis_is_full_where_the_limit_says_so() -> None:
    load = Load(sessions=1, minutes_per_call=5)
    counts = {one.name: one.sessions for one in limits(load, Machine())}

    assert counts["Redis: one core, no AFFINITY"] * redis_s(load) == pytest.approx(1)
    assert sessions_of_fleet(load, Machine(fill=0.5)) <= counts["Redis: one core, no AFFINITY"] / 2


def test_longer_calls_take_less_of_what_starts_take() -> None:
    short, long = (Load(sessions=1, minutes_per_call=minutes) for minutes in (1, 30))

    assert redis_s(short) > redis_s(long)
    assert sessions_on(Machine(), SHARED.worker, short) < sessions_on(
        Machine(), SHARED.worker, long
    )


def look(*, nodes: int, silent: int = 0, quiet: int = 0, talking: int = 0) -> Look:
    """Return what a fleet would tell that behaves exactly as `COST` says."""
    count = silent + quiet + talking
    load = Load(
        sessions=count,
        talking=talking / count if count else 0,
        silent=silent / count if count else 0,
    )
    state = State(
        workers_mb=[memory_mb(COST, load, nodes)],
        nodes_mb=[memory_mb(COST, load, nodes)],
        redis_mb=memory_mb(COST, load),
        redis_clients=1,
        by_worker=[silent] * nodes,
        by_node=[silent] * nodes,
    )
    return Look(
        silent=silent,
        quiet=quiet,
        talking=talking,
        workers_cores=[cores(COST, load, nodes)],
        nodes_cores=[cores(COST, load, nodes)],
        redis_cores=cores(COST, load),
        redis_calls_per_s=1,
        media_kbits=10 * silent + 20 * quiet + 40 * talking,
        state=state,
    )


def run_of(nodes: int) -> Run:
    """Return the run of such a fleet: 10 come in 10 s, and all but what they did is over then."""
    taken_s = nodes * 0.05 * 10 + 0.02 * 50 + 10 * 0.3
    redis_s = 0.05 * 10 + 0.02 * 50 + 10 * 0.3
    spell = Spell(
        users=10, lasted_s=10, held_s=50, workers_s=taken_s, nodes_s=taken_s, redis_s=redis_s
    )
    run = Run(nodes=nodes, asked=10, served=10, starts_s=[0.5] * 10, answered=3)
    run.looks = [
        look(nodes=nodes),
        look(nodes=nodes, silent=10),
        look(nodes=nodes, silent=10, quiet=2),
        look(nodes=nodes, silent=10, talking=2),
    ]
    run.coming, run.leaving = [spell], spell
    return run


def test_a_run_feeds_the_formula_with_what_it_was_made_of() -> None:
    found = fitted(run_of(1))

    for part in (found.worker, found.livekit, found.redis):
        assert part.silent_cores == pytest.approx(COST.silent_cores)
        assert part.quiet_cores == pytest.approx(COST.quiet_cores)
        assert part.talking_cores == pytest.approx(COST.talking_cores)
        assert part.call_cpu_s == pytest.approx(COST.call_cpu_s)
        assert part.session_mb == pytest.approx(COST.session_mb)
        assert part.base_mb == pytest.approx(COST.base_mb)
    assert found.talking_kbits == pytest.approx(40)
    assert found.tokenserver_start_cpu_s == SHARED.tokenserver_start_cpu_s


def test_what_a_run_does_not_say_stays_as_it_was_known() -> None:
    run = run_of(1)
    del run.looks[2:]

    assert fitted(run).worker.talking_cores == SHARED.worker.talking_cores


def test_of_a_run_without_sessions_nothing_is_learnt() -> None:
    run = Run(nodes=1, looks=[look(nodes=1)])

    with pytest.raises(ValueError, match="nobody was served"):
        fitted(run)


def test_a_fleet_that_does_as_the_formula_says_is_not_off() -> None:
    runs = [run_of(1), run_of(2)]

    table = check_table(runs, fitted(runs[0]))

    assert {row.figures["off %"] for row in table.rows} == {0}
    assert {row.verdict for row in table.rows} <= {"met", None}


def test_a_fleet_that_takes_more_is_off() -> None:
    runs = [run_of(1), run_of(2)]
    runs[1].looks[1] = look(nodes=2, silent=20)

    rows = {row.name: row for row in check_table([runs[1]], fitted(runs[0])).rows}

    assert rows["2, 20 silent: workers"].verdict == "met"
    assert load_of(runs[1].looks[3]).talking == pytest.approx(2 / 12)


def test_those_who_were_not_served_are_told() -> None:
    runs = [run_of(1)]
    runs[0].served = 9

    (row,) = starts_table(runs).rows

    assert row.verdict == "missed"
    assert row.figures["without"] == 1


def test_tables_have_a_line_for_each_step_and_each_figure() -> None:
    run = run_of(2)

    assert [row.name for row in measured_table([run]).rows] == [
        "2, 0 silent",
        "2, 10 silent",
        "2, 10 silent + 2 quiet",
        "2, 10 silent + 2 talking",
    ]
    assert len(fed_table(fitted(run), SHARED).rows) == 3 * 7 + 3


def test_a_size_is_told_without_a_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "1000", "--minutes-per-call", "5", "--talking", "0.5"]) == 0
    told = capsys.readouterr().out
    assert "1,000 sessions of 5 minutes" in told
    assert "Redis: one core" in told


def test_machines_that_hold_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="holds no session"):
        sizing_tables(SILENT, Machine(memory_mb=100))
    assert main(["--size", "10", "--memory-gb", "0.1"]) == 1
    assert "holds no session" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--talking", "2"], ["--size", "none"], ["--size", "-1"], ["--sessions", "0"]]
)
def test_options_that_cannot_be_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(wrong)


def test_shares_are_of_the_same_calls() -> None:
    with pytest.raises(SystemExit):
        main(["--size", "10", "--talking", "0.7", "--silent", "0.7"])
    assert isinstance(make_parser(), argparse.ArgumentParser)
