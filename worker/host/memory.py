"""What memory job processes take, looked at as closely as their limits ask for.

Every 5 s the framework has the kernel walk through all pages of each process, to count shared ones
by their share (PSS): 20 ms for each call on a slow core. A process whose resident memory, shared
pages counted whole, is within all limits is within them by its share, too, which is never more: the
kernel has that number at hand.

Private parts of livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import math
import os
import weakref
from pathlib import Path

from livekit.agents.ipc.supervised_proc import SupervisedProc

_MB = 1024 * 1024
_usual = SupervisedProc._sample_memory_mb  # noqa: SLF001 - see above
#: Those that were looked at closely before.
_close: weakref.WeakSet[SupervisedProc] = weakref.WeakSet()


def look_no_closer_than_needed() -> None:
    """Have all processes of this worker measured so, from now on."""
    SupervisedProc._sample_memory_mb = sample_mb  # type: ignore[method-assign,assignment]  # noqa: SLF001


def sample_mb(process: SupervisedProc) -> tuple[float, str]:
    """Return the memory of a process in MB, and by which measure. Raises psutil.Error."""
    limits = (process._opts.memory_warn_mb, process._opts.memory_limit_mb)  # noqa: SLF001
    resident = resident_bytes(process._pid)  # noqa: SLF001
    least_mb = min((limit for limit in limits if limit > 0), default=math.inf)
    if resident is not None and resident <= least_mb * _MB:
        return resident / _MB, "rss"
    if process not in _close:
        _close.add(process)
        # It is told how much more it takes than at first, which is to be by the same measure.
        process._memory_baseline_mb = None  # noqa: SLF001
    return _usual(process)


def resident_bytes(pid: int | None) -> int | None:
    """Return what is in memory, from proc(5); None where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
