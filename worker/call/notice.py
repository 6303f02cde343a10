"""The word of the worker process to its job processes: hand over what you have.

The framework tells its job processes nothing before it ends them: they ignore SIGTERM and SIGINT,
and SIGUSR1 is its own. So the word travels as SIGUSR2. It needs neither Redis nor the pipe between
the two, which is the framework's, and reaches every call of a process. Where several calls share
one, each is told by itself: job/shared.py.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

#: What the worker process sends. Without `Notice.install` it would end the process, so only
#: processes with a job are told: they got it when they were warm.
HAND_OVER = signal.SIGUSR2


@dataclass(frozen=True, slots=True)
class _Listener:
    """One call, and how to tell it."""

    job_id: str
    loop: asyncio.AbstractEventLoop
    call: Callable[[], None]


class Notice:
    """Whether this process, or one call in it, was told to hand over; once told, for good."""

    def __init__(self) -> None:
        self._is_given = False
        self._given_to: set[str] = set()
        self._listeners: list[_Listener] = []

    def install(self) -> None:
        """Listen for the signal; to be called in the main thread. No event loop is needed."""
        signal.signal(HAND_OVER, self._on_signal)

    def listen(self, listener: Callable[[], None], job_id: str) -> None:
        """Call this once when the word comes, from the loop that runs now; at once if it has."""
        one = _Listener(job_id, asyncio.get_running_loop(), listener)
        self._listeners.append(one)
        if self._is_given or job_id in self._given_to:
            one.loop.call_soon(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Let go of a call that is over."""
        over = {one.job_id for one in self._listeners if one.call == listener}
        self._given_to -= over
        self._listeners = [one for one in self._listeners if one.call != listener]

    def give(self, job_id: str) -> None:
        """Tell one call, once; the one that comes, if it is not there yet."""
        if self._is_given or job_id in self._given_to:
            return
        self._given_to.add(job_id)
        for one in self._listeners:
            if one.job_id == job_id:
                one.loop.call_soon_threadsafe(one.call)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        # Comes between any two steps of the main thread: nothing is done here but passing it on.
        if self._is_given:
            return
        self._is_given = True
        for one in self._listeners:
            if one.job_id not in self._given_to:
                one.loop.call_soon_threadsafe(one.call)
