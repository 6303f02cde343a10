"""The shared wait, for conditions that block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.support import wait


async def eventually(is_true: Callable[[], bool]) -> None:
    """Return once the condition holds; it is asked on a thread, so the test's loop turns on."""

    async def ask() -> bool:
        return await asyncio.to_thread(is_true)

    await wait.eventually(ask, 30.0)
