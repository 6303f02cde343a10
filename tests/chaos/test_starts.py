"""Sessions start when no worker is there, or has only just come."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit import rtc

from tests.chaos.fates import REFUSED, Heard
from tests.chaos.guests import Guest
from tests.chaos.story import Story
from tests.chaos.users import User

pytestmark = pytest.mark.timeout(500)

#: How long before it is known to LiveKit a worker is started: it loads for so long.
_LOADING_S = 6.0
_ALONE_S = 20.0
_REGISTERED_WITHIN_S = 60.0
_HEARD_WITHIN_S = 60.0
_TWO_AGENTS_S = 30.0
#: `START_LEASE_S`, and agents that come and break: by then everybody has one, or is told. Much
#: longer than on a machine that has nothing else to do.
_DECIDED_WITHIN_S = 180.0


async def no_workers(story: Story) -> None:
    """Kill all workers, of which none has a call."""
    await asyncio.gather(*(worker.kill() for worker in story.stage.workers))


async def test_no_worker(story: Story) -> None:
    """1. There is no worker. 2. Three users start, and join. 3. A worker comes 20 s later.

    Result: they hear an agent, or know that there is none.
    """
    await no_workers(story)
    users = [await story.user() for _ in range(3)]
    for user in users:
        await user.start()
        await user.join()
        user.talk()
    worker = story.stage.workers[0]
    await asyncio.sleep(max(0.0, users[0].asked_at + _ALONE_S - _LOADING_S - time.monotonic()))
    await worker.launch()
    came_at = await worker.until_registered(_REGISTERED_WITHIN_S)
    waits = (user.heard_after(came_at, _HEARD_WITHIN_S) for user in users)
    story.tell("no worker for 20 s", await asyncio.gather(*waits))
    await worker.ready()


async def test_ten_at_once(story: Story) -> None:
    """1. A worker has just come. 2. In the same second ten users start, and join.

    Result: each hears an agent, or knows that there is none.
    """
    _bear(story)
    await no_workers(story)
    worker = story.stage.workers[0]
    await worker.launch()
    users = [await story.user() for _ in range(10)]
    await worker.until_registered(_REGISTERED_WITHIN_S)
    story.tell("10 starts at once", await asyncio.gather(*(_heard(story, one) for one in users)))
    await worker.ready()


async def test_fifty_at_once(story: Story) -> None:
    """1. A worker has just come. 2. In the same second 50 start, as many as there are slots.

    Result: for each there is an agent with a voice in the room, or they know that there is none.
    """
    _bear(story)
    await no_workers(story)
    worker = story.stage.workers[0]
    await worker.launch()
    guests = [story.guest() for _ in range(50)]
    await worker.until_registered(_REGISTERED_WITHIN_S)
    waits = (_served(story, guest) for guest in guests)
    story.tell("50 starts at once", await asyncio.gather(*waits))
    await worker.ready()


def _bear(story: Story) -> None:
    """Bear more than at other times: so many calls at once may be more than a machine can hold.

    What is asked here is that nobody is forgotten, not that none of them breaks.
    """
    limits = story.watcher.limits
    limits.starting_s = limits.recovering_s = limits.ending_s = _DECIDED_WITHIN_S
    limits.two_agents_s = _TWO_AGENTS_S
    story.watcher.expect_losses()


async def _heard(story: Story, user: User) -> Heard:
    if (refusal := await story.begins(user)) is not None:
        return refusal
    await user.join()
    heard = await user.heard_after(user.asked_at, _DECIDED_WITHIN_S)
    # There are enough who talk.
    await user.leave()
    return heard


async def _served(story: Story, guest: Guest) -> Heard:
    if (refusal := await story.begins(guest)) is not None:
        return refusal
    try:
        await guest.join(_HEARD_WITHIN_S)
    except rtc.ConnectError as error:  # which a user is shown
        return Heard(after_s=None, status=REFUSED, message=str(error))
    return await guest.served(_DECIDED_WITHIN_S)
