"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

_TICK_S = 0.05
"""Some conditions become true by nothing but time passing: that somebody has been silent."""


class Changes:
    """Wakes up whoever waits whenever something has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Tell that something has changed."""
        self._changed.set()

    async def until(self, is_met: Callable[[], bool], deadline_s: float) -> bool:
        """Wait for a condition; return whether it was met in time."""
        ends_at = time.monotonic() + deadline_s
        while not is_met():
            if time.monotonic() > ends_at:
                return False
            self._changed.clear()
            # Not asyncio.wait_for: that of Python 3.11 forgets a cancellation that comes together
            # with the change (python/cpython#86296).
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._changed.wait()
        return True
