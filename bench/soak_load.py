"""What makes it hard: a busy process for each core, and how busy the machine was."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from devstack.services.process import Command, RunningProcess

CORES = os.cpu_count() or 1
#: One program of so many processes, as one starts it from a shell: where the kernel shares out the
#: CPU by sessions (autogroup), these are one.
_BURN = """
import os, sys
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        break
while True:
    pass
"""
_CPU_EVERY_S = 5.0
_LATE_EVERY_S = 0.05


@dataclass(slots=True)
class Strain:
    """How busy the machine was, and how late this process: it carries the packets, too."""

    cpu_percent: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)

    @property
    def cpu_mean(self) -> float | None:
        """The mean share of all cores that was busy, in percent."""
        return round(statistics.fmean(self.cpu_percent), 1) if self.cpu_percent else None

    @property
    def late_p99_ms(self) -> float | None:
        """What one turn of the event loop in a hundred was late by, or more."""
        if len(self.late_ms) < 2:
            return None
        return round(statistics.quantiles(self.late_ms, n=100, method="inclusive")[98], 1)


@asynccontextmanager
async def burning(count: int, env: Mapping[str, str], folder: Path) -> AsyncIterator[None]:
    """Run so many processes that do nothing but compute, at normal priority, until it is left."""
    if not count:
        yield
        return
    command = Command(
        name="burners",
        argv=(sys.executable, "-I", "-S", "-c", _BURN, str(count)),
        env=env,
        log=folder / "burners.log",
    )
    burners = await RunningProcess.start(command)
    try:
        yield
    finally:
        burners.kill()
        await burners.exited


@asynccontextmanager
async def strain() -> AsyncIterator[Strain]:
    """Take samples until the block is left."""
    found = Strain()
    samplers = [asyncio.create_task(_sample_cpu(found)), asyncio.create_task(_sample_late(found))]
    try:
        yield found
    finally:
        for sampler in samplers:
            sampler.cancel()
        await asyncio.wait(samplers)


async def _sample_cpu(found: Strain) -> None:
    psutil.cpu_percent()  # the first one says nothing
    while True:
        await asyncio.sleep(_CPU_EVERY_S)
        found.cpu_percent.append(psutil.cpu_percent())


async def _sample_late(found: Strain) -> None:
    while True:
        due_at = time.monotonic() + _LATE_EVERY_S
        await asyncio.sleep(_LATE_EVERY_S)
        found.late_ms.append((time.monotonic() - due_at) * 1e3)
