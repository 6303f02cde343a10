"""The benchmark of assignments runs through. What it measures here says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.bench.running import run

WITHIN_S = 240.0


@pytest.mark.timeout(WITHIN_S + 20)
def test_users_of_both_kinds_of_workers_are_served(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    sizes = ("--only", "burst,cold", "--together", "2", "--rounds", "1")

    done = run("assignment", *sizes, "--json", str(file), within_s=WITHIN_S)

    assert done.returncode == 0, done.stderr
    (table,) = json.loads(file.read_text(encoding="utf-8"))
    assert len(table["rows"]) == 4
    for row in table["rows"]:
        assert row["name"] in done.stdout
        assert row["figures"]["served"] in {"2 of 2", "1 of 1"}, done.stderr
