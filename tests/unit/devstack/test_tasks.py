"""What the developers' tasks consist of."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from devstack import tasks
from devstack.cli import COMMANDS, build_parser
from devstack.install.web import WEB
from devstack.locks import LOCKS
from devstack.settings import REPO
from devstack.tasks import (
    Stage,
    all_stages,
    audit_stages,
    bench_command,
    lint_stages,
    run_stages,
    tier_stages,
    type_stages,
    unit_stages,
)
from devstack.terminal import Terminal
from tests.support.crew import share_of


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_everything_is_tried_and_one_failure_fails() -> None:
    stages = [
        Stage("bad", python("print('the reason'); raise SystemExit(2)")),
        Stage("good", python("print('unheard')")),
    ]
    stream = io.StringIO()
    assert run_stages(stages, {}, Terminal({}, stream)) == 1
    words = stream.getvalue().split()
    assert words[:2] == ["bad", "failed"]
    assert "the reason" in stream.getvalue()
    assert "good" in words
    assert "unheard" not in words


def test_quick_checks_run_at_once_and_are_told_of_in_their_order(tmp_path: Path) -> None:
    met = tmp_path / "met"
    waits = f"import pathlib\nwhile not pathlib.Path({str(met)!r}).exists(): pass"
    stages = [
        Stage("first", python(waits)),
        Stage("second", python(f"open({str(met)!r}, 'w')")),
    ]
    stream = io.StringIO()
    assert run_stages(stages, {}, Terminal({}, stream)) == 0
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["first", "second"]


@pytest.mark.parametrize("tier", ["unit", "integration", "e2e"])
def test_tests_run_in_several_processes_unless_told_otherwise(tier: str) -> None:
    argv = tier_stages(tier, ["-n", "0"])[0].argv
    assert argv[4:6] == ("-n", "auto")
    assert argv[-2:] == ("-n", "0"), "pytest takes the last one"


@pytest.mark.parametrize("count", [1, 3, 6])
def test_no_port_is_looked_for_by_two_processes_of_tests(count: int) -> None:
    ports = range(20_000, 32_000)
    shares = [share_of(f"gw{number}", count, ports) for number in range(count)]
    assert sorted(port for share in shares for port in share) == list(ports)
    # So many are drawn from it (devstack/services/ports.py).
    assert all(len(share) >= 1000 for share in shares)


def test_only_a_selection_may_leave_nothing_to_run() -> None:
    assert tier_stages("e2e")[0].accepted == {0}
    assert tier_stages("e2e", ["-k", "nothing"])[0].accepted == {0, 5}


@pytest.mark.parametrize(("codes", "status"), [((5, 5), 1), ((5, 0), 0), ((0, 1), 1)])
def test_a_selection_that_fits_no_test_at_all_fails(codes: tuple[int, ...], status: int) -> None:
    accepted = frozenset({0, 5})
    tiers = [
        Stage(f"tier {code}", python(f"raise SystemExit({code})"), accepted, is_quiet=False)
        for code in codes
    ]
    stages = [Stage("lint", python("")), *tiers]
    stream = io.StringIO()
    assert run_stages(stages, {}, Terminal({}, stream)) == status
    assert ("no test fits" in stream.getvalue()) == (codes == (5, 5))


def test_all_stages_are_in_order_and_pass_arguments_on() -> None:
    stages = all_stages({"CI": "true"}, ["-k", "x"])
    names = [stage.name for stage in stages]
    assert names[:4] == ["ruff", "format", "imports", "spelling"]
    assert names[-8:-4] == ["web lint", "types", "web types", "web unit"]
    assert names[-4:] == ["unit", "integration", "e2e", "chaos"]
    assert stages[-1].argv[-2:] == ("-k", "x")


def test_what_is_made_of_the_code_is_compared_with_it() -> None:
    (stage,) = [stage for stage in lint_stages({}) if stage.name == "reference"]
    assert stage.argv == (sys.executable, "-m", "reference", "--check")


def test_all_tests_tell_the_quick_stories_and_chaos_tells_all_one_after_the_other() -> None:
    quick, every = all_stages({"CI": "true"})[-1], tier_stages("chaos")[0]
    assert quick.argv[3:] == ("tests/chaos", "-m", "quick")
    assert every.argv[3:] == ("tests/chaos",)
    assert quick.accepted == every.accepted == {0}


CHECKS_OF_WEB = {
    "web lint": (lint_stages, ("eslint/bin/eslint.js", ".")),
    "web types": (type_stages, ("typescript/bin/tsc", "--noEmit")),
    "web unit": (unit_stages, ("vitest/vitest.mjs", "run")),
}


@pytest.mark.parametrize("is_current", [True, False])
@pytest.mark.parametrize("name", [*CHECKS_OF_WEB, "web"])
def test_checks_of_web_are_left_out_only_outside_ci(
    monkeypatch: pytest.MonkeyPatch, name: str, *, is_current: bool
) -> None:
    stages = CHECKS_OF_WEB[name][0] if name in CHECKS_OF_WEB else audit_stages
    monkeypatch.setattr(tasks, "is_web_current", lambda: is_current)
    assert (name in {stage.name for stage in stages({})}) == is_current
    assert name in {stage.name for stage in stages({"CI": "true"})}


@pytest.mark.parametrize("name", CHECKS_OF_WEB)
def test_checks_of_web_are_made_there_by_its_packages(name: str) -> None:
    stages, (program, *arguments) = CHECKS_OF_WEB[name]
    (stage,) = [stage for stage in stages({"CI": "true"}) if stage.name == name]
    assert stage.cwd == WEB
    assert stage.is_quiet
    assert stage.argv[1:] == (str(WEB / "node_modules" / program), *arguments)


def test_a_stage_runs_where_it_says(tmp_path: Path) -> None:
    stage = Stage("here", python("open('found', 'w')"), cwd=tmp_path)
    assert run_stages([stage], {}, Terminal({}, io.StringIO())) == 0
    assert (tmp_path / "found").exists()


def test_dockerfiles_are_linted_when_there_are_any() -> None:
    has_dockerfiles = any(REPO.glob("Dockerfile*"))
    assert ("dockerfiles" in {stage.name for stage in lint_stages({})}) == has_dockerfiles


def test_every_lock_is_audited_and_can_be_written() -> None:
    locks = {path.stem for path in (REPO / "requirements").glob("*.lock")}
    assert {lock.name for lock in LOCKS} == locks
    *stages, web = audit_stages({"CI": "true"})
    assert {stage.name for stage in stages} == locks
    assert (web.cwd, web.argv[-2:]) == (WEB, ("audit", "--audit-level=high"))


def test_every_command_is_described() -> None:
    shown = build_parser().format_help()
    assert all(f"\n    {command}" in shown for command in COMMANDS)


def test_every_benchmark_that_make_names_is_one() -> None:
    """`make help` says which can be asked for by name."""
    text = (REPO / "Makefile").read_text(encoding="utf-8")
    (named,) = re.findall(r"^bench: ## .*ARGS=NAME: one at length, of (.*)$", text, re.MULTILINE)
    programs = {path.stem for path in (REPO / "bench").iterdir()}
    for name in named.split(", "):
        assert bench_command([name]) == (sys.executable, "-m", f"bench.{name}")
        assert name in programs


def test_the_benchmark_gets_its_arguments() -> None:
    assert bench_command() == (sys.executable, "-m", "bench")
    assert bench_command(["--full"]) == (sys.executable, "-m", "bench", "--full")
    assert bench_command(["store", "--quick"]) == (sys.executable, "-m", "bench.store", "--quick")
    assert bench_command(["burst"]) == (sys.executable, "-m", "bench.burst")
    assert bench_command(["degradation"]) == (sys.executable, "-m", "bench.degradation")
    assert bench_command(["race"]) == (sys.executable, "-m", "bench.race")
    assert bench_command(["soak"]) == (sys.executable, "-m", "bench.soak")
    assert bench_command(["starts", "--starts", "20"])[1:] == (
        "-m",
        "bench.starts",
        "--starts",
        "20",
    )
