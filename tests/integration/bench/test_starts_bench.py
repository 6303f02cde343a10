"""The benchmark of starts runs through. What it measures here says nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.bench.running import run

WITHIN_S = 110.0


def test_all_loads_run_and_tell_their_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    done = run("starts", "--starts", "40", "--json", str(file), within_s=WITHIN_S)

    assert done.returncode == 0, done.stderr
    (table,) = json.loads(file.read_text(encoding="utf-8"))
    assert len(table["rows"]) == 3
    for row in table["rows"]:
        assert row["name"] in done.stdout
        assert 0 < row["figures"]["p50"] <= row["figures"]["p99"]
        assert row["verdict"] in {"met", "missed"}


def test_what_cannot_be_measured_is_said() -> None:
    done = run("starts", "--starts", "7", within_s=WITHIN_S)

    assert done.returncode == 2
    assert "7 is no number from 20 to 100,000" in done.stderr
