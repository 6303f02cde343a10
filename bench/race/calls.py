"""Several calls that one worker holds at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.race.processes import cpu_s, until_calm
from bench.race.scene import Racer, Visit
from devstack.talk.caller import Caller, CallerError

_GREETED_WITHIN_S = 20.0
#: Those who are there keep the machine busy.
_CALM_WITHIN_S = 3.0
#: A worker may refuse a call because the machine is busy; then another user comes.
_ATTEMPTS = 3
#: What is not over by then, of a greeting or of a refill, is over.
_SETTLE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """CPU that a worker used over a time: cores, of all its processes together."""

    cores: float
    seconds: float


@asynccontextmanager
async def holding(racer: Racer, count: int) -> AsyncIterator[list[Caller]]:
    """Have users join one after the other; yield them once all were greeted and it is quiet.

    They leave, and their rooms are closed, with the block. Raises TimeoutError when a worker does
    not take a call, tried several times.
    """
    async with AsyncExitStack() as stack:
        callers = [await _join(racer, stack) for _ in range(count)]
        for caller in callers:
            await caller.wait_quiet(_GREETED_WITHIN_S)
        await racer.until_warm()
        await asyncio.sleep(_SETTLE_S)
        yield callers


async def _join(racer: Racer, stack: AsyncExitStack) -> Caller:
    for _ in range(_ATTEMPTS):
        await racer.until_warm(spare=1)
        await until_calm(_CALM_WITHIN_S)
        visit = await racer.prepare()
        await racer.scene.open(visit)
        async with AsyncExitStack() as attempt:
            attempt.push_async_callback(racer.scene.close, visit)
            caller = await attempt.enter_async_context(racer.scene.caller(visit))
            is_greeted = await _is_greeted(racer, visit, caller)
            if is_greeted:
                await stack.enter_async_context(attempt.pop_all())
                return caller
    raise TimeoutError(f"{racer.side.name} took no call in {_ATTEMPTS} attempts")


async def _is_greeted(racer: Racer, visit: Visit, caller: Caller) -> bool:
    try:
        await caller.wait_greeting(_GREETED_WITHIN_S)
    except CallerError:
        racer.calls += racer.scene.hook.of(visit.room).agent_active_at is not None
        return False
    racer.calls += 1
    return True


async def used_over(racer: Racer, seconds: float) -> Use:
    """Look how busy a worker is over a time."""
    before_s, began = await asyncio.to_thread(cpu_s, racer.pid), time.monotonic()
    await asyncio.sleep(seconds)
    used_s = await asyncio.to_thread(cpu_s, racer.pid) - before_s
    lasted_s = time.monotonic() - began
    return Use(cores=used_s / lasted_s, seconds=lasted_s)
