"""The benchmark of starts runs through. What it measures here says nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from devstack.install.tools import LIVEKIT, REDIS
from devstack.settings import REPO
from tests.support.servers import neutral_environment, program

WITHIN_S = 110.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    programs = {tool.setting: str(program(tool)) for tool in (REDIS, LIVEKIT)}
    return subprocess.run(
        [sys.executable, "-m", "bench.starts", *arguments],
        cwd=REPO,
        env=neutral_environment() | programs,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def test_all_loads_run_and_tell_their_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    done = run("--starts", "40", "--json", str(file))

    assert done.returncode == 0, done.stderr
    (table,) = json.loads(file.read_text(encoding="utf-8"))
    assert len(table["rows"]) == 3
    for row in table["rows"]:
        assert row["name"] in done.stdout
        assert 0 < row["figures"]["p50"] <= row["figures"]["p99"]
        assert row["verdict"] in {"met", "missed"}


def test_what_cannot_be_measured_is_said() -> None:
    done = run("--starts", "7")

    assert done.returncode == 2
    assert "7 is no number from 20 to 100,000" in done.stderr
