"""What a worker takes, all its processes together: CPU and memory, from /proc."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_TICKS = os.sysconf("SC_CLK_TCK")
_KB_PER_MB = 1024
_ATTEMPTS = 5
_LOOK_EVERY_S = 0.25
#: A worker that only waits uses less: heartbeats, and a look at the load now and then.
_QUIET_CORES = 0.08
_QUIET_FOR_S = 1.5
#: A plain worker takes no call while the machine is busy: it looks at it so often, in turns.
_CALM_LOOKS = 6
_CALM_EVERY_S = 0.5
_CALM_PERCENT = 50.0


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a worker has used so far, ended processes included.

    Each process knows what its children used that have ended and that it waited for, and theirs.
    A process that ends while this looks would count neither here nor there, so it looks again.
    """
    total = 0.0
    for _ in range(_ATTEMPTS):
        pids = family(pid)
        try:
            total = sum(_own_cpu_s(one) for one in pids)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if set(family(pid)) >= set(pids):
            break
    return total


def pss_mb(pid: int) -> float:
    """Return the memory of a worker in MB: what processes share is counted once (PSS)."""
    total_kb = 0
    for one in family(pid):
        # One that has just ended takes nothing.
        with suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
            total_kb += sum(
                int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")
            )
    return total_kb / _KB_PER_MB


class Meter:
    """How many cores some processes use, each with its descendants, from `begin` on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._began_at, self._before_s = 0.0, dict[str, float]()

    async def begin(self) -> None:
        """Begin, or begin anew."""
        self._before_s = await asyncio.to_thread(self._used_s)
        self._began_at = time.monotonic()

    async def cores(self) -> dict[str, float]:
        """Return the cores by the names of the processes."""
        used_s = await asyncio.to_thread(self._used_s)
        lasted_s = time.monotonic() - self._began_at
        return {name: (used_s[name] - before) / lasted_s for name, before in self._before_s.items()}

    def _used_s(self) -> dict[str, float]:
        return {name: cpu_s(pid) for name, pid in self._pids.items()}


async def until_quiet(pid: int, within_s: float) -> float:
    """Wait until a worker has nothing to do; return its CPU seconds of when that began.

    Raises TimeoutError.
    """
    ends_at = time.monotonic() + within_s
    samples: deque[tuple[float, float]] = deque()
    while True:
        now, used_s = time.monotonic(), await asyncio.to_thread(cpu_s, pid)
        samples.append((now, used_s))
        while len(samples) > 1 and now - samples[1][0] >= _QUIET_FOR_S:
            samples.popleft()
        began_at, began_s = samples[0]
        lasted_s = now - began_at
        if lasted_s >= _QUIET_FOR_S and used_s - began_s <= _QUIET_CORES * lasted_s:
            return began_s
        if now > ends_at:
            raise TimeoutError(f"the worker was not quiet within {within_s:g} s")
        await asyncio.sleep(_LOOK_EVERY_S)


async def until_calm(within_s: float) -> bool:
    """Wait for a while until the whole machine has been half idle for 3 s; say whether it was."""
    ends_at = time.monotonic() + within_s
    looks: deque[float] = deque(maxlen=_CALM_LOOKS)
    psutil.cpu_percent()  # the first one says nothing
    while time.monotonic() < ends_at:
        await asyncio.sleep(_CALM_EVERY_S)
        looks.append(psutil.cpu_percent())
        if len(looks) == _CALM_LOOKS and sum(looks) / _CALM_LOOKS < _CALM_PERCENT:
            return True
    return False


def _own_cpu_s(pid: int) -> float:
    """Return utime, stime, cutime and cstime of a process together (proc(5), fields 14 to 17)."""
    # The name may hold spaces and parentheses; the last `)` ends it.
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS
