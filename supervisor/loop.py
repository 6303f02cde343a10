"""Runs one pass again and again, and outlives whatever it raises."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from rooms.errors import LiveKitSpared, RoomsError
from sessions.errors import Deposed
from telemetry.meter import Meter
from telemetry.metrics import PASS_DURATION, PASS_FAILURES, REPAIRS

logger = logging.getLogger("supervisor")

#: A pass that takes longer than this hangs on something and is given up.
_PASS_DEADLINE_S = 30.0


def level_of(error: RoomsError) -> int:
    """Return how loudly to tell that LiveKit is away: not for each look that it was spared."""
    return logging.DEBUG if isinstance(error, LiveKitSpared) else logging.WARNING


async def run_every(
    interval_s: float,
    name: str,
    one_pass: Callable[[], Awaitable[int]],
    *,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    meter: Meter | None = None,
) -> None:
    """Run ``one_pass`` about every ``interval_s`` seconds until cancelled.

    A pass returns how much it has put right. The interval is jittered by a tenth, so that loops of
    several servers do not march in step. ``pause`` may return before its time, when there is
    something to do.
    """
    while True:
        began, repairs, is_well = time.monotonic(), 0, False
        try:
            async with asyncio.timeout(_PASS_DEADLINE_S):
                repairs = await one_pass()
            is_well = True
        except Deposed:
            logger.info("another supervisor leads by now", extra={"loop": name})
        except Exception:
            logger.exception("a supervisor pass failed", extra={"loop": name})
        if meter is not None:
            meter.observe(PASS_DURATION, time.monotonic() - began, loop=name)
            meter.count(REPAIRS, repairs, loop=name)
            meter.count(PASS_FAILURES, not is_well, loop=name)
        if is_to_end():
            return
        await pause(interval_s * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, no secret


def is_to_end() -> bool:
    """Say whether this task has been cancelled, though it goes on.

    In Python 3.11 `asyncio.wait_for` swallows a cancellation that comes when its work is done
    (CPython issue 86296), and the Redis client uses it for each command. A loop that only waits to
    be cancelled would then run for ever, and its server never stop.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
