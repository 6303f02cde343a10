"""What was made warm in a process, for whoever has the process."""

from __future__ import annotations

from livekit.agents import JobProcess

from worker.call.warm import Warm

_KEY = "warm"


def keep_warm(process: JobProcess, warm: Warm) -> None:
    """Put it where the calls of this process find it."""
    process.userdata[_KEY] = warm


def warm_of(process: JobProcess) -> Warm:
    """Return what `prewarm` has put into a process. Raises TypeError."""
    warm = process.userdata.get(_KEY)
    if not isinstance(warm, Warm):
        raise TypeError("this process was not prewarmed")
    return warm
