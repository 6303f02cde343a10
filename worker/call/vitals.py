"""What an agent says of itself with each renewal of its lease: what it does, and its memory."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sessions.model import Vitals
from worker.call.measures import Processor

_ROLLUP = Path("/proc/self/smaps_rollup")
#: Reading it walks all page tables of the process, some ms for a large one; memory is not that
#: quick.
_MEASURED_EVERY_S = 10.0
#: So long a heartbeat waits for it. On a machine that is overloaded it was seen to take 3 s, by
#: which the lease was renewed later.
_WAITED_S = 0.2
#: `ru_maxrss` is in KiB, but on macOS.
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class Memory:
    """The memory of this process, which its calls share."""

    def __init__(self, *, rollup: Path = _ROLLUP) -> None:
        self._rollup = rollup
        self._calls = 0
        self._pss_bytes = 0
        self._next_measure_at = 0.0
        self._measuring: asyncio.Task[int] | None = None

    def enter(self) -> None:
        """Count a call that begins."""
        self._calls += 1

    def leave(self) -> None:
        """Count it no more."""
        self._calls -= 1

    async def share_bytes(self) -> int:
        """Return a call's share, as it was 10 s ago, or longer on a busy machine; 0: not known."""
        if self._measuring is None and time.monotonic() >= self._next_measure_at:
            self._next_measure_at = time.monotonic() + _MEASURED_EVERY_S
            reading = asyncio.to_thread(measure_pss_bytes, self._rollup)
            self._measuring = asyncio.create_task(reading, name="memory is measured")
        if self._measuring is not None:
            done, _ = await asyncio.wait({self._measuring}, timeout=_WAITED_S)
            for measured in done:
                self._measuring = None
                self._pss_bytes = measured.result()
        return self._pss_bytes // max(self._calls, 1)


class VitalSigns:
    """Reads the vitals of one call, as often as it is asked, without holding it up."""

    def __init__(
        self, agent_state: Callable[[], str], memory: Memory, processor: Processor
    ) -> None:
        self._agent_state = agent_state
        self._memory = memory
        self._processor = processor

    async def read(self) -> Vitals:
        """Return how the agent is."""
        self._processor.count()
        share_bytes = await self._memory.share_bytes()
        return Vitals(agent_state=self._agent_state(), pss_bytes=share_bytes)


def measure_pss_bytes(rollup: Path = _ROLLUP) -> int:
    """Return the proportional set size of this process, in bytes.

    Where the system does not tell, the most memory that this process ever had, what it shares with
    others included.
    """
    try:
        for line in rollup.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT_BYTES
