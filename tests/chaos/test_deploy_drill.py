"""The drill in its shortest form: nobody notices a deploy, and everybody one without care."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from devstack.settings import REPO
from telemetry.version import VERSION
from tests.integration.bench.running import environment, run
from tests.support.wait import eventually_sync

# Among the stories of chaos, which are told one by one: with neighbours a machine of two cores is
# too slow for users who speak and workers that start.
pytestmark = [pytest.mark.quick]

WITHIN_S = 420.0
#: How long things take here says nothing.
TIMED = "s "

Tables = dict[str, dict[str, dict[str, Any]]]


def drill(file: Path, *arguments: str) -> tuple[CompletedProcess[str], Tables]:
    """Run it; return also its rows, by table and name."""
    done = run("deploy_drill", "--quick", *arguments, "--json", str(file), within_s=WITHIN_S)
    assert file.exists(), done.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    tables = {table["part"]: {row["name"]: row for row in table["rows"]} for table in found}
    is_missed = any(row["verdict"] == "missed" for rows in tables.values() for row in rows.values())
    assert done.returncode == int(is_missed), done.stderr
    return done, tables


@pytest.mark.timeout(450)
def test_nobody_notices_a_new_version_nor_one_that_cannot_serve(tmp_path: Path) -> None:
    done, tables = drill(tmp_path / "figures.json", "--users", "2")

    assert set(tables) == {"starts", "calls", "rollouts", "versions"}
    starts, calls = tables["starts"], tables["calls"]
    assert starts["all"]["figures"]["asked"] > 20
    assert {row["verdict"] for row in starts.values()} == {"met"}, done.stdout
    judged = {name: row for name, row in calls.items() if row["aim"] and not _is_timed(name)}
    assert {row["verdict"] for row in judged.values()} == {"met"}, done.stdout
    # Both workers went, so each call changed hands.
    assert calls["handed over to another worker"]["figures"]["figure"] >= 2
    assert calls["questions asked"]["figures"]["figure"] > 4
    old, new = f"2 x {VERSION}", f"2 x {VERSION}+new"
    assert {name: _served(row) for name, row in tables["rollouts"].items()} == {
        f"{kind}: {VERSION}{suffix}": (after, "met")
        for kind in ("token servers", "workers")
        for suffix, after in (("+broken", old), ("+unready", old), ("+new", new))
    }
    # The reasons are told, as they are.
    assert f"token servers: {VERSION}+broken: ended with status 1" in done.stdout
    # Why, is what the worker says of itself; on a slow machine it is not there yet after so long.
    unready = rf"workers: {re.escape(VERSION)}\+unready: not ready after 6 s: \S+"
    assert re.search(unready, done.stdout), done.stdout
    assert all(_is_figure(row) for row in tables["versions"].values()), done.stdout


@pytest.mark.timeout(450)
def test_everybody_notices_when_the_old_ones_go_first(tmp_path: Path) -> None:
    done, tables = drill(tmp_path / "figures.json", "--careless", "--users", "2")

    assert done.returncode == 1
    lost = tables["starts"]["all"]
    assert lost["figures"]["failed"] > 0, done.stdout
    assert lost["verdict"] == "missed"
    assert tables["calls"]["cut"]["figures"]["figure"] == 2, done.stdout
    assert tables["calls"]["cut"]["verdict"] == "missed"


@pytest.mark.timeout(120)
def test_nothing_is_left_of_one_that_is_stopped(tmp_path: Path) -> None:
    """1. The fleet of a drill is on its way. 2. The drill is told to stop.

    Result: it ends as after Ctrl-C, and neither processes nor copies of the code are left.
    """
    logs, copies = tmp_path / "logs", tmp_path / "copies"
    copies.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.deploy_drill", "--quick", "--logs", str(logs)],
        cwd=REPO,
        env=environment() | {"TMPDIR": str(copies)},
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually_sync(lambda: len(list(logs.glob("worker-*.log"))) == 2, 60)
        ours = {one.pid for one in psutil.Process(process.pid).children(recursive=True)}
        process.terminate()
        assert process.wait(60) == 130
    finally:
        process.kill()
    # What was just being started is held by a leash, and ends a moment later.
    eventually_sync(lambda: not any(map(_runs, ours)), 30)
    assert len(ours) >= 6
    assert list(copies.iterdir()) == []


def test_what_cannot_be_done_is_said() -> None:
    done = run("deploy_drill", "--drain-s", "5", within_s=WITHIN_S)

    assert done.returncode == 2
    assert "5 is no whole number of seconds from 25 to 3,600" in done.stderr


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_timed(name: str) -> bool:
    return name.startswith(TIMED)


def _served(row: dict[str, Any]) -> tuple[str, str]:
    return row["figures"]["serving after"], row["verdict"]


def _is_figure(row: dict[str, Any]) -> bool:
    return isinstance(row["figures"]["s"], float | int)
