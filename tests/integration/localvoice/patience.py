"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(is_true: Callable[[], bool], deadline_s: float = 30.0) -> None:
    """Return once the condition holds. Raises TimeoutError when it never does."""
    async with asyncio.timeout(deadline_s):
        while not await asyncio.to_thread(is_true):
            await asyncio.sleep(0.01)
