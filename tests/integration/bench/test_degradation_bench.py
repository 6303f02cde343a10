"""The benchmark of failing models runs through. How long it takes here says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.bench.running import run

#: Three workers start, and hold one call each, at the same time.
WITHIN_S = 280.0


@pytest.mark.timeout(300)
def test_all_three_have_a_call_and_ours_are_never_left_without_a_word(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    done = run(
        "degradation", "--rounds", "1", "--faults", "500", "--json", str(file), within_s=WITHIN_S
    )

    assert done.returncode == 0, done.stderr
    by_fault, in_all = json.loads(file.read_text(encoding="utf-8"))
    heard = {row["name"]: row["figures"]["heard"] for row in by_fault["rows"]}
    assert heard == {
        "llm 500: plain": "nothing",
        "llm 500: ours, alone": "apology",
        "llm 500: ours, with a substitute": "answer",
    }
    assert [row["verdict"] for row in in_all["rows"]] == ["met"] * 3


def test_what_cannot_fail_is_said() -> None:
    done = run("degradation", "--faults", "500,floods", within_s=WITHIN_S)

    assert done.returncode == 2
    assert "not known: floods" in done.stderr
