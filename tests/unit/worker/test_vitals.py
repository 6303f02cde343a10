"""What an agent says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.call.vitals import VitalSigns, measure_pss_bytes


def test_memory_is_its_share() -> None:
    share = measure_pss_bytes()
    assert 1_000_000 < share < 10_000_000_000


@pytest.mark.parametrize("text", [None, "", "Rss: 12 kB\n", "Pss:\n", "Pss: much\n"])
def test_where_the_system_does_not_tell_it_is_the_most_there_ever_was(
    tmp_path: Path, text: str | None
) -> None:
    rollup = tmp_path / "smaps_rollup"
    if text is not None:
        rollup.write_text(text)
    assert measure_pss_bytes(rollup) > 1_000_000


async def test_memory_is_measured_now_and_then_and_the_state_each_time(tmp_path: Path) -> None:
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text("Rss:  9 kB\nPss:  7 kB\nPss_Dirty:  5 kB\n")
    states = iter(["listening", "speaking"])
    signs = VitalSigns(lambda: next(states), rollup=rollup)
    first = await signs.read()
    rollup.write_text("Pss:  8 kB\n")
    second = await signs.read()
    assert (first.agent_state, first.pss_bytes) == ("listening", 7168)
    assert (second.agent_state, second.pss_bytes) == ("speaking", 7168)
