"""Benchmarks one after the other: what fails is told, what is there is left, signals passed on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import FULL, SHORT, Item, run_items
from devstack.settings import REPO, process_environment
from devstack.terminal import Terminal
from tests.support.wait import eventually_sync

#: Ends at once, with status 2: there is no such option.
FAILS = Item("burst", ("--no-such-option",))


def test_what_did_not_run_through_is_told_and_has_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "burst.json").write_text("of another run")
    assert run_items([FAILS], tmp_path, Terminal({}), is_resumed=False) == 1
    assert not (tmp_path / "burst.json").exists()
    told = capsys.readouterr()
    assert "did not run through: burst" in told.out + told.err


def test_what_has_figures_already_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "burst.json").write_text("of another run")
    assert run_items([FAILS], tmp_path, Terminal({}), is_resumed=True) == 0
    assert "burst: was there already" in capsys.readouterr().out


@pytest.mark.parametrize("item", [*SHORT, *FULL], ids=lambda item: "_".join(item.argv[2:]))
def test_each_is_a_program_that_knows_its_options(item: Item) -> None:
    done = subprocess.run(
        [*item.argv, "--help"], cwd=REPO, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout
    assert {one for one in item.arguments if one.startswith("--")} <= {*done.stdout.split()} | {
        word.strip("[],") for word in done.stdout.split()
    }


def test_a_signal_is_passed_on_and_the_benchmark_waited_for(tmp_path: Path) -> None:
    """1. A benchmark runs. 2. The programme is told to stop.

    Result: the benchmark is told, and has ended when the programme goes on.
    """
    told = tmp_path / "told"
    child = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_): pathlib.Path(sys.argv[1]).write_text('told'); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path(sys.argv[1]).write_text('runs')\n"
        "time.sleep(60)\n"
    )
    programme = (
        "import sys\n"
        "from bench.__main__ import run_until_done\n"
        "sys.exit(0 if run_until_done([sys.executable, '-c', *sys.argv[1:]]) == -15 else 1)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", programme, child, str(told)],
        cwd=REPO,
        env={**process_environment(), "PYTHONPATH": str(REPO)},
    )
    try:
        eventually_sync(lambda: told.exists() and told.read_text() == "runs", 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert told.read_text() == "told"
