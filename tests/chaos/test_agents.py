"""Agents are lost in the middle of calls: their users hear another one soon, and never two."""

from __future__ import annotations

import signal
import time

import pytest

from tests.chaos.fates import Fate
from tests.chaos.story import Story

pytestmark = pytest.mark.timeout(120)

_HEARD_WITHIN_S = 15.0


@pytest.mark.quick
async def test_an_agent_is_killed(story: Story) -> None:
    """1. Four users talk with agents. 2. The processes of two of these are killed.

    Result: another agent is heard by their users; the other two never noticed.
    """
    users = await story.users(4)
    hit, spared = users[:2], users[2:]
    before = {user: await story.session(user) for user in users}
    lost_at = time.monotonic()
    for user in hit:
        await story.signal_agent(user, signal.SIGKILL)
    for user in hit:
        heard = await user.heard_after(
            lost_at, _HEARD_WITHIN_S, other_than=f"agent-{before[user].job_id}"
        )
        assert heard.fate is Fate.RECOVERED, heard
    for user in spared:
        now = await story.session(user)
        assert (now.epoch, now.job_id) == (before[user].epoch, before[user].job_id)
        assert (await user.heard_after(lost_at, _HEARD_WITHIN_S)).fate is Fate.RECOVERED
