"""Runs one pass again and again, and outlives whatever it raises."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

logger = logging.getLogger("supervisor")

#: A pass that takes longer than this hangs on something and is given up.
_PASS_DEADLINE_S = 30.0


async def run_every(
    interval_s: float,
    name: str,
    one_pass: Callable[[], Awaitable[object]],
    *,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Run ``one_pass`` about every ``interval_s`` seconds until cancelled.

    The interval is jittered by a tenth, so that loops of several servers do not march in step.
    ``pause`` may return before its time, when there is something to do.
    """
    while True:
        try:
            async with asyncio.timeout(_PASS_DEADLINE_S):
                await one_pass()
        except Exception:
            logger.exception("a supervisor pass failed", extra={"loop": name})
        await pause(interval_s * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret
