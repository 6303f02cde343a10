"""A loop goes on whatever its pass does, and ends when it is told to."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.loop import run_every
from tests.support.wait import eventually


async def test_a_pass_that_fails_is_not_the_last() -> None:
    passes = 0

    async def one_pass() -> int:
        nonlocal passes
        passes += 1
        raise ValueError

    async def are_enough() -> bool:
        return passes >= 3

    loop = asyncio.create_task(run_every(0.01, "test", one_pass))
    await eventually(are_enough)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_a_pause_may_be_cut_short() -> None:
    woken, passes = asyncio.Event(), 0

    async def one_pass() -> int:
        nonlocal passes
        passes += 1
        return 1

    async def pause(_: float) -> None:
        await woken.wait()
        woken.clear()

    async def are(number: int) -> bool:
        return passes == number

    loop = asyncio.create_task(run_every(3600, "test", one_pass, pause=pause))
    for number in (1, 2, 3):
        await eventually(lambda: are(number))  # noqa: B023 - awaited at once
        woken.set()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def test_a_pass_that_swallows_the_cancellation_is_the_last() -> None:
    """As `asyncio.wait_for` does in Python 3.11 when its work is done at that moment."""
    begun = asyncio.Event()

    async def one_pass() -> int:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return 0
        return 1

    loop = asyncio.create_task(run_every(3600, "test", one_pass))
    await begun.wait()
    loop.cancel()
    done, _ = await asyncio.wait({loop}, timeout=20)
    assert done
