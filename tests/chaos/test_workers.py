"""Whole workers are lost, or stand still."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.chaos.fates import Heard
from tests.chaos.story import Story
from tests.chaos.users import User

pytestmark = pytest.mark.timeout(180)

_HEARD_WITHIN_S = 60.0
_STOPPED_S = 30.0


async def test_killed(story: Story) -> None:
    """1. Four users or more talk, with agents of two workers. 2. One of the workers is killed, and
    all its processes with it.

    Result: its calls go on with the other one, whose own calls were not touched.
    """
    users = await story.users_of_all_workers(4)
    calls = {worker: await story.held_by(worker, users) for worker in story.stage.workers}
    worker = max(calls, key=lambda one: len(calls[one]))
    before = {user: await story.session(user) for user in users}
    hit = {user: before[user] for user in calls[worker]}
    story.expect_loss(hit)
    lost_at = time.monotonic()
    await worker.kill()
    story.tell("worker killed", await story.heard_again(hit, lost_at, _HEARD_WITHIN_S))
    for user in hit:
        assert (await story.alone(user)).worker_id != worker.id
    await story.not_touched({user: one for user, one in before.items() if user not in hit})


async def test_stopped(story: Story) -> None:
    """1. Three users or more talk, with agents of two workers. 2. One of the workers stands still
    for 30 s, its agents do not. 3. Three more users start.

    Result: no call is touched; the new ones have an agent, or are told that none came.
    """
    users = await story.users_of_all_workers(3)
    worker = await story.worker_of(users[0])
    before = {user: await story.session(user) for user in users}
    # LiveKit goes on giving it jobs: each costs `CLAIM_DEADLINE_S`.
    story.watcher.limits.starting_s = _HEARD_WITHIN_S
    stopped_at = time.monotonic()
    worker.stop()
    more = [await story.user() for _ in range(3)]
    waits = asyncio.gather(*map(_greeted, more))
    await asyncio.sleep(max(0.0, stopped_at + _STOPPED_S - time.monotonic()))
    worker.cont()
    story.tell("worker stopped, new starts", await waits)
    await story.not_touched(before)


async def _greeted(user: User) -> Heard:
    """Start and join, and return what was heard since the start."""
    await user.start()
    await user.join()
    user.talk()
    return await user.heard_after(user.asked_at, _HEARD_WITHIN_S)
