"""The same faults, done to a plain worker: what it loses stands beside ours in the table.

Nothing is asserted of it but that the fault was done: it is not ours.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.fates import Heard
from tests.chaos.ledger import PLAIN, Entry, Ledger
from tests.chaos.plain import (
    PATIENCE_S,
    REGISTERED_WITHIN_S,
    PlainFleet,
    PlainUser,
    plain_fleet,
)
from tests.chaos.services import BLOCKING_TOOL
from tests.chaos.stage import REPLY, Stage
from tests.support.provider import Reply, ToolCall
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(180)

_REQUEST = "Please think hard."
_LOADING_S = 6.0
_ALONE_S = 20.0
#: What an agent that falls silent may still have said: it was on its way.
_LAST_WORDS_S = 2.0


@pytest.fixture
async def plain(stage: Stage) -> AsyncIterator[PlainFleet]:
    """A plain worker that has not been started."""
    async with plain_fleet(stage) as fleet:
        yield fleet


@pytest.mark.parametrize(
    ("fault", "number"), [("agent killed", signal.SIGKILL), ("agent stopped", signal.SIGSTOP)]
)
async def test_agent(plain: PlainFleet, ledger: Ledger, fault: str, number: signal.Signals) -> None:
    """1. A user talks. 2. All job processes of the worker are killed, or stand still."""
    await plain.start()
    user = await plain.greeted()
    pids = plain.worker.jobs()
    assert pids
    voice, lost_at = user.voice, time.monotonic()
    try:
        for pid in pids:
            os.kill(pid, number)
        heard = await user.heard_after(lost_at, PATIENCE_S, other_than=voice)
        await _write(plain, ledger, fault, user, heard)
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_event_loop_blocked(stage: Stage, ledger: Ledger) -> None:
    """1. A user talks. 2. The model calls a tool that blocks the agent's event loop for 20 s."""
    called_at = list[float]()

    def reply(messages: list[dict[str, Any]]) -> Reply:
        if _REQUEST not in str(messages[-1]["content"]):
            return REPLY
        called_at.append(time.monotonic())
        return ToolCall(name=BLOCKING_TOOL)

    async with plain_fleet(stage, "tests.chaos.plain_blocking") as plain:
        await plain.start()
        user = await plain.greeted()
        stage.provider.reply = reply
        user.next_words = _REQUEST
        try:
            await eventually(lambda: _is_there(called_at), 30.0, message="the tool is called")
            # It may come to itself, and nobody else comes. Its last words are over by then.
            since = called_at[0] + _LAST_WORDS_S
            heard = await user.heard_after(since, PATIENCE_S - _LAST_WORDS_S)
            if heard.after_s is not None:
                heard = replace(heard, after_s=heard.after_s + _LAST_WORDS_S)
            await _write(plain, ledger, "event loop blocked", user, heard)
        finally:
            stage.provider.reply = REPLY


async def test_worker_killed(plain: PlainFleet, ledger: Ledger) -> None:
    """1. A user talks. 2. The worker is killed with all its processes; there is another one."""
    await plain.start(2)
    user = await plain.greeted()
    voice, lost_at = user.voice, time.monotonic()
    await plain.worker_of(user).kill()
    heard = await user.heard_after(lost_at, PATIENCE_S, other_than=voice)
    await _write(plain, ledger, "worker killed", user, heard)


async def test_worker_stopped(plain: PlainFleet, ledger: Ledger) -> None:
    """1. A user talks. 2. The worker stands still; there is another one. 3. Three users start."""
    await plain.start(2)
    first = await plain.greeted()
    plain.worker_of(first).stop()
    users = [await plain.user() for _ in range(3)]
    heard = await asyncio.gather(*map(_heard, users))
    ledger.write(Entry(fault="worker stopped, new starts", kind=PLAIN, heard=heard))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_livekit_restarted(
    plain: PlainFleet,
    stage: Stage,
    ledger: Ledger,
    number: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    """1. A user talks. 2. livekit-server is restarted."""
    await plain.start()
    user = await plain.greeted()
    gone_at, back_at = await stage.restart_livekit(number)
    heard = await user.heard_after(back_at, PATIENCE_S)
    if heard.after_s is not None:
        heard = replace(heard, after_s=heard.after_s + back_at - gone_at)
    await _write(plain, ledger, f"LiveKit {request.node.callspec.id}", user, heard)


async def test_no_worker(plain: PlainFleet, ledger: Ledger) -> None:
    """1. Three users start. 2. A worker comes 20 s later."""
    users = [await plain.user() for _ in range(3)]
    for user in users:
        await user.join()
    await asyncio.sleep(max(0.0, users[0].asked_at + _ALONE_S - _LOADING_S - time.monotonic()))
    await plain.worker.launch()
    came_at = await plain.worker.until_registered(REGISTERED_WITHIN_S)
    heard = await asyncio.gather(*(user.heard_after(came_at, PATIENCE_S) for user in users))
    ledger.write(Entry(fault="no worker for 20 s", kind=PLAIN, heard=heard))


async def test_ten_at_once(plain: PlainFleet, ledger: Ledger) -> None:
    """1. The worker has just come. 2. Ten users start in the same second."""
    await plain.worker.launch()
    await plain.worker.until_registered(REGISTERED_WITHIN_S)
    users = await asyncio.gather(*(plain.user() for _ in range(10)))
    heard = await asyncio.gather(*map(_heard, users))
    ledger.write(Entry(fault="10 starts at once", kind=PLAIN, heard=heard))


async def _heard(user: PlainUser) -> Heard:
    await user.join()
    return await user.heard_after(user.asked_at, PATIENCE_S)


async def _write(
    plain: PlainFleet, ledger: Ledger, fault: str, user: PlainUser, heard: Heard
) -> None:
    """Write down what the user heard, and whether there are two agents in the room."""
    duplicates = int(len(await plain.halls.agents(user.room)) > 1)
    ledger.write(Entry(fault=fault, kind=PLAIN, heard=[heard], duplicates=duplicates))


async def _is_there(moments: list[float]) -> bool:
    return bool(moments)
