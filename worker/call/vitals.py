"""What an agent says of itself with each renewal of its lease: what it does, and its memory."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sessions.model import Vitals

_ROLLUP = Path("/proc/self/smaps_rollup")
#: Reading it walks all page tables of the process, some ms for a large one; memory is not that
#: quick.
_MEASURED_EVERY_S = 10.0
#: `ru_maxrss` is in KiB, but on macOS.
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class VitalSigns:
    """Reads the vitals of this process, as often as it is asked, without holding up its calls."""

    def __init__(self, agent_state: Callable[[], str], *, rollup: Path = _ROLLUP) -> None:
        self._agent_state = agent_state
        self._rollup = rollup
        self._pss_bytes = 0
        self._next_measure_at = 0.0

    async def read(self) -> Vitals:
        """Return how the agent is; its memory as it was at most 10 s ago."""
        if time.monotonic() >= self._next_measure_at:
            self._next_measure_at = time.monotonic() + _MEASURED_EVERY_S
            self._pss_bytes = await asyncio.to_thread(measure_pss_bytes, self._rollup)
        return Vitals(agent_state=self._agent_state(), pss_bytes=self._pss_bytes)


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
