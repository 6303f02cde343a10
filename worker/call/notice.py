"""The word of the worker process to its job processes: hand over what you have.

The framework tells its job processes nothing before it ends them: they ignore SIGTERM and SIGINT,
and SIGUSR1 is its own. So the word travels as SIGUSR2. It needs neither Redis nor the pipe between
the two, which is the framework's, and reaches every call of a process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

#: What the worker process sends. Without `Notice.install` it would end the process, so only
#: processes with a job are told: they got it when they were warm.
HAND_OVER = signal.SIGUSR2


class Notice:
    """Whether this process was told to hand over its calls; once told, for good."""

    def __init__(self) -> None:
        self._is_given = False
        self._listeners: list[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = []

    def install(self) -> None:
        """Listen for the signal; to be called in the main thread. No event loop is needed."""
        signal.signal(HAND_OVER, self._on_signal)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this once when the word comes, from the loop that runs now; at once if it has."""
        loop = asyncio.get_running_loop()
        self._listeners.append((loop, listener))
        if self._is_given:
            loop.call_soon(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Let go of a call that is over."""
        self._listeners = [one for one in self._listeners if one[1] != listener]

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        # Comes between any two steps of the main thread: nothing is done here but passing it on.
        if self._is_given:
            return
        self._is_given = True
        for loop, listener in self._listeners:
            loop.call_soon_threadsafe(listener)
