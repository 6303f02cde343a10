"""Agents are lost in the middle of calls: their users hear another one soon, and never two."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sized
from functools import partial
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.chaos.services import BLOCKED_S, BLOCKING_TOOL, Differences
from tests.chaos.stage import REPLY
from tests.chaos.story import Story, agent_of
from tests.chaos.users import User
from tests.support.provider import Reply, ToolCall
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(180)

#: Of a killed one its worker tells at once; of any other its lease.
_KILLED_HEARD_WITHIN_S = 30.0
_HUNG_HEARD_WITHIN_S = 40.0
#: What an agent may take to notice that it was replaced, once it can.
_LEAVES_WITHIN_S = 2.0
_ENDS_WITHIN_S = 30.0
_REQUEST = "Please think hard, number"


@pytest.fixture(scope="module")
def differences() -> Differences:
    """A fleet whose calls have a process each (test_shared.py: those that share one)."""
    return Differences(of_workers={"ISOLATION": "process"})


@pytest.mark.quick
async def test_killed(story: Story) -> None:
    """1. Four users talk with agents. 2. The processes of two of these are killed.

    Result: their users hear another agent; the other two never noticed.
    """
    users = await story.users(4)
    before = {user: await story.session(user) for user in users}
    hit, spared = dict(list(before.items())[:2]), dict(list(before.items())[2:])
    story.expect_loss(hit)
    lost_at = time.monotonic()
    for session in hit.values():
        story.signal(session, signal.SIGKILL)
    heard = await story.heard_again(hit, lost_at, _KILLED_HEARD_WITHIN_S)
    story.tell("agent killed", heard)
    for user in hit:
        await story.alone(user)
    await story.not_touched(spared)


@pytest.mark.quick
async def test_stopped_and_continued(story: Story) -> None:
    """1. Three users talk. 2. The processes of two agents stand still. 3. Others have taken their
    places. 4. They go on.

    Result: those leave at once, end, and are not heard any more; the third call was not touched.
    """
    users = await story.users(3)
    before = {user: await story.session(user) for user in users}
    hit, spared = dict(list(before.items())[:2]), dict(list(before.items())[2:])
    story.expect_loss(hit)
    lost_at = time.monotonic()
    pids = [story.signal(session, signal.SIGSTOP) for session in hit.values()]
    heard = await story.heard_again(hit, lost_at, _HUNG_HEARD_WITHIN_S)
    story.tell("agent stopped", heard)
    after = {user: await story.alone(user) for user in hit}

    woken_at = time.monotonic()
    for session in hit.values():
        story.signal(session, signal.SIGCONT)
    for user, session in hit.items():
        await _stays_away(story, user, agent_of(session), woken_at)
    for pid in pids:
        await eventually(partial(_is_gone, pid), _ENDS_WITHIN_S, message="it ends")
    await story.not_touched(after | spared)


async def test_event_loop_blocked(story: Story) -> None:
    """1. Four users talk. 2. For two, the model calls a tool that blocks the agent's event loop.

    Result: another agent is heard, long before the loop is free again; the blocked one leaves then,
    and says nothing any more. The other calls were not touched.
    """
    called_at = dict[str, float]()

    def reply(messages: list[dict[str, Any]]) -> Reply:
        words = str(messages[-1]["content"])
        if _REQUEST not in words:
            return REPLY
        called_at.setdefault(words[-1], time.monotonic())
        return ToolCall(name=BLOCKING_TOOL)

    users = await story.users(4)
    before = {user: await story.session(user) for user in users}
    hit, spared = dict(list(before.items())[:2]), dict(list(before.items())[2:])
    story.expect_loss(hit)
    story.stage.provider.reply = reply
    for number, user in enumerate(hit):
        user.next_words = f"{_REQUEST} {number}"
    await eventually(lambda: _are_there(called_at, 2), 30.0, message="the tool is called")
    lost_at = {user: called_at[str(number)] for number, user in enumerate(hit)}
    waits = (
        user.heard_after(lost_at[user], _HUNG_HEARD_WITHIN_S, other_than=agent_of(session))
        for user, session in hit.items()
    )
    heard = await asyncio.gather(*waits)
    story.tell("event loop blocked", heard)
    assert all(one.after_s is None or one.after_s < BLOCKED_S for one in heard)
    after = {user: await story.alone(user) for user in hit}

    for user, session in hit.items():
        free_at = lost_at[user] + BLOCKED_S
        await asyncio.sleep(max(0.0, free_at - time.monotonic()))
        await _stays_away(story, user, agent_of(session), free_at)
    await story.not_touched(after | spared)


async def _stays_away(story: Story, user: User, agent: str, woken_at: float) -> None:
    """Fail if an agent that woke up is there later than it may be, or was listened to again."""
    room = (await story.session(user)).room
    while (awake_s := time.monotonic() - woken_at) < 2 * _LEAVES_WITHIN_S:
        there = {*await story.halls.agents(room), *user.agents()}
        assert agent not in there or awake_s < _LEAVES_WITHIN_S, f"it is there after {awake_s} s"
        await asyncio.sleep(0.05)
    assert not [who for at, who in user.caller.log.voices if at > woken_at and who == agent]


async def _are_there(moments: Sized, number: int) -> bool:
    return len(moments) == number


async def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)
