"""Waiting in tests: for a condition, with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0
INTERVAL_S = 0.02


async def eventually(
    condition: Callable[[], Awaitable[T]],
    deadline_s: float = DEADLINE_S,
    *,
    interval_s: float = INTERVAL_S,
    message: str = "",
) -> T:
    """Return the first truthy result of `condition`.

    An AssertionError counts as "not yet", so a condition can be a block of asserts that returns
    True; the last one is the cause of the failure after `deadline_s`.
    """
    ends_at = time.monotonic() + deadline_s
    while True:
        try:
            result, cause = await condition(), None
            if result:
                return result
        except AssertionError as error:
            cause = error
        if time.monotonic() > ends_at:
            raise _too_late(condition, deadline_s, message) from cause
        await asyncio.sleep(interval_s)


def eventually_sync(
    condition: Callable[[], T],
    deadline_s: float = DEADLINE_S,
    *,
    interval_s: float = INTERVAL_S,
    message: str = "",
) -> T:
    """Do the same for a plain function."""

    async def asked() -> T:
        return condition()

    return asyncio.run(
        eventually(asked, deadline_s, interval_s=interval_s, message=message or _name(condition))
    )


def _too_late(condition: object, deadline_s: float, message: str) -> AssertionError:
    return AssertionError(f"not within {deadline_s:g} s: {message or _name(condition)}")


def _name(condition: object) -> str:
    return str(getattr(condition, "__qualname__", condition))
