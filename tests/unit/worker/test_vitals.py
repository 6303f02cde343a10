"""What an agent says of itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sessions.model import Vitals
from tests.support.figures import NoFigures
from tests.support.wait import DEADLINE_S, eventually
from worker.call.measures import Processor
from worker.call.vitals import Memory, VitalSigns, measure_pss_bytes


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


async def measured(signs: VitalSigns) -> Vitals:
    """Return the first vitals with a memory."""

    async def read() -> Vitals | None:
        vitals = await signs.read()
        return vitals if vitals.pss_bytes else None

    found = await eventually(read)
    assert found is not None
    return found


async def test_memory_is_measured_now_and_then_and_the_state_each_time(tmp_path: Path) -> None:
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text("Rss:  9 kB\nPss:  7 kB\nPss_Dirty:  5 kB\n")
    state = "listening"
    signs = VitalSigns(lambda: state, Memory(rollup=rollup), Processor(NoFigures()))
    first = await measured(signs)
    rollup.write_text("Pss:  8 kB\n")
    state = "speaking"
    second = await signs.read()
    assert (first.agent_state, first.pss_bytes) == ("listening", 7168)
    assert (second.agent_state, second.pss_bytes) == ("speaking", 7168)


async def test_a_heartbeat_does_not_wait_for_a_measurement_that_takes_long(tmp_path: Path) -> None:
    """1. Reading the memory hangs, as on a machine that is overloaded. 2. It comes to its end.

    Result: the state is told meanwhile, without a memory; afterwards with it.
    """
    rollup = tmp_path / "smaps_rollup"
    os.mkfifo(rollup)  # whoever opens it waits for a writer
    signs = VitalSigns(lambda: "thinking", Memory(rollup=rollup), Processor(NoFigures()))
    try:
        async with asyncio.timeout(DEADLINE_S):
            early = [await signs.read() for _ in range(2)]
    finally:
        await asyncio.to_thread(rollup.write_text, "Pss:  7 kB\n")
    late = await measured(signs)
    assert [(one.agent_state, one.pss_bytes) for one in early] == [("thinking", 0)] * 2
    assert (late.agent_state, late.pss_bytes) == ("thinking", 7168)


async def test_calls_that_share_a_process_share_its_memory(tmp_path: Path) -> None:
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text("Pss:  8 kB\n")
    memory = Memory(rollup=rollup)
    memory.enter()
    memory.enter()
    signs = VitalSigns(lambda: "listening", memory, Processor(NoFigures()))
    assert (await measured(signs)).pss_bytes == 4096
    memory.leave()
    assert (await signs.read()).pss_bytes == 8192
