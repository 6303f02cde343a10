"""The soak runs through. Half a minute, on a machine that does other things, says nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.bench.running import run

#: A voice, three servers and two workers start, and are stopped, one after the other.
WITHIN_S = 280.0


@pytest.mark.timeout(300)
def test_users_talk_through_the_link_and_everything_is_counted(tmp_path: Path) -> None:
    file, logs = tmp_path / "figures.json", tmp_path / "logs"

    done = run(
        "soak",
        *("--minutes", "0.5", "--users", "1", "--burners", "1", "--loss", "5"),
        *("--json", str(file), "--logs", str(logs)),
        within_s=WITHIN_S,
    )

    assert done.returncode == 0, done.stderr
    wrong, calls, burden = json.loads(file.read_text(encoding="utf-8"))
    assert wrong["rows"][0]["name"] == "false re-dispatches: epochs above 1"
    assert all(row["verdict"] in {"met", "missed"} for row in wrong["rows"])
    figures = {row["name"]: row["figures"]["figure"] for row in calls["rows"] + burden["rows"]}
    assert figures["sessions"] >= 1
    for direction in ("to the server", "to users and agents"):
        assert 0 < figures[f"packets {direction}: lost"] < figures[f"packets {direction}"]
    assert figures["CPU busy, percent of all cores: mean"] > 0
    assert (logs / "tokenserver.log").stat().st_size > 0


def test_what_cannot_be_done_is_said() -> None:
    done = run("soak", "--loss", "101", within_s=WITHIN_S)

    assert done.returncode == 2
    assert "101 is no percentage from 0 to 100" in done.stderr
