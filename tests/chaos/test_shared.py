"""Calls share processes, and what befalls one befalls its neighbours, and nobody else."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from sessions.model import Session
from tests.chaos.services import BLOCKED_S, BLOCKING_TOOL, Differences
from tests.chaos.stage import REPLY
from tests.chaos.story import Story
from tests.chaos.users import User
from tests.support.provider import Reply, ToolCall
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(180)

_HEARD_WITHIN_S = 30.0
_REQUEST = "Please think hard"


@pytest.fixture(scope="module")
def differences() -> Differences:
    """A fleet whose calls share processes, all that is needed for them in each worker's first."""
    return Differences(of_workers={"ISOLATION": "shared"})


async def _neighbours(story: Story) -> tuple[dict[User, Session], dict[User, Session]]:
    """Have users talk until two share a process and one does not; return those two, the others."""
    users = await story.users(4)
    while True:
        before = {user: await story.session(user) for user in users}
        homes = [(one.worker_id, one.agent_pid) for one in before.values()]
        crowded = next((home for home in homes if homes.count(home) > 1), None)
        if crowded is not None and set(homes) != {crowded}:
            break
        users += await story.users(1)
    hit = {u: s for u, s in before.items() if (s.worker_id, s.agent_pid) == crowded}
    return hit, {user: session for user, session in before.items() if user not in hit}


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_process(story: Story, number: signal.Signals) -> None:
    """1. Users talk, some of them with agents in the same process. 2. It is killed, or stopped.

    Result: all of these hear another agent; the calls in other processes were not touched.
    """
    hit, spared = await _neighbours(story)
    story.expect_loss(hit)
    lost_at = time.monotonic()
    story.signal(next(iter(hit.values())), number)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    what = "killed" if number is signal.SIGKILL else "stopped"
    story.tell(f"process of several calls {what}", heard)
    for user in hit:
        await story.alone(user)
    await story.not_touched(spared)


async def test_event_loop_blocked(story: Story) -> None:
    """1. Users talk, some with agents in the same process. 2. One of these calls a tool that blocks
    the event loop, for all of them.

    Result: all of them hear another agent, long before the loop would be free again; the log says
    where it stood still. The calls in other processes were not touched.
    """
    called_at = list[float]()

    def reply(messages: list[dict[str, Any]]) -> Reply:
        if _REQUEST not in str(messages[-1]["content"]):
            return REPLY
        called_at.append(time.monotonic())
        return REPLY if len(called_at) > 1 else ToolCall(name=BLOCKING_TOOL)

    hit, spared = await _neighbours(story)
    story.expect_loss(hit)
    story.stage.provider.reply = reply
    next(iter(hit)).next_words = _REQUEST
    await eventually(lambda: _is_called(called_at), 30.0, message="the tool is called")
    lost_at = called_at[0]
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("event loop of several calls blocked", heard)
    assert all(one.after_s is None or one.after_s < BLOCKED_S for one in heard)
    for user in hit:
        await story.alone(user)
    await story.not_touched(spared)
    worker = await story.worker_of(next(iter(hit)))
    told = "".join(one.log.read_text() for one in story.stage.workers)
    assert "an event loop stands still" in told, worker.name
    assert "in think_hard" in told


async def _is_called(moments: list[float]) -> bool:
    return bool(moments)
