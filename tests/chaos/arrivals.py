"""Somebody new comes every moment, while something is done to what sessions are kept in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from tests.chaos.fates import Heard
from tests.chaos.guests import Guest
from tests.chaos.story import Story
from tests.support.redis_topologies import Replicated, is_master
from tests.support.wait import eventually
from voicefleet_client import ApiError

#: More at a time than this machine can start would only wait for one another.
_PAUSE_S = 0.5
_TALKERS = 2
_BEFORE = _AFTER = 5
_SERVED_WITHIN_S = 60.0
_HEARD_WITHIN_S = 30.0


class Arrivals:
    """Those who came, and what became of them: each leaves once there is an agent."""

    def __init__(self, story: Story) -> None:
        self._story = story
        #: Set when nobody else is to come.
        self.end = asyncio.Event()
        #: When each came, and whether they were served; in the order in which that was known.
        self.heard: list[tuple[float, Heard]] = []

    async def served_since(self, moment: float, number: int) -> bool:
        """Say whether so many who came after a moment have had an agent."""
        return sum(at > moment and one.after_s is not None for at, one in self.heard) >= number

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Let people come until the end."""
        while not self.end.is_set():
            group.create_task(self._come(), name="somebody comes")
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_S):
                    await self.end.wait()

    async def _come(self) -> None:
        guest, came_at = self._story.guest(), time.monotonic()
        heard = await self._served(guest)
        self.heard.append((came_at, heard))
        await guest.leave()
        await guest.stop()

    async def _served(self, guest: Guest) -> Heard:
        if (refusal := await self._story.begins(guest)) is not None:
            return refusal
        await guest.join(_SERVED_WITHIN_S)
        return await guest.served(_SERVED_WITHIN_S)


@asynccontextmanager
async def arriving(story: Story) -> AsyncIterator[Arrivals]:
    """Let people come until the block is left; all of them have been served then."""
    arrivals = Arrivals(story)
    async with asyncio.TaskGroup() as group:
        group.create_task(arrivals.run(group), name="people come")
        try:
            yield arrivals
        finally:
            arrivals.end.set()


async def fail_over(story: Story, redis: Replicated, fault: str) -> None:
    """Kill the master of Redis while users talk and others come, and judge what becomes of them.

    Those who start meanwhile are let in, or told to come again, and all are served in the end.
    Those who talk go on with the agents that they had.
    """
    users = await story.users(_TALKERS)
    before = {user: await story.session(user) for user in users}
    async with arriving(story) as arrivals:
        await eventually(
            partial(arrivals.served_since, 0.0, _BEFORE), _SERVED_WITHIN_S, message="served before"
        )
        killed_at = time.monotonic()
        await asyncio.to_thread(redis.master.kill)
        heard = await asyncio.gather(
            *(user.heard_after(killed_at, _HEARD_WITHIN_S) for user in users)
        )
        await eventually(
            partial(asyncio.to_thread, is_master, redis.replica),
            _SERVED_WITHIN_S,
            message="the replica is promoted",
        )
        await eventually(
            partial(arrivals.served_since, time.monotonic(), _AFTER),
            _SERVED_WITHIN_S,
            message="served after",
        )
    story.tell(f"{fault}: those who talked", heard)
    story.tell(f"{fault}: those who came", [one for _, one in arrivals.heard])
    assert all(one.after_s is not None for _, one in arrivals.heard), arrivals.heard
    _answered(story, killed_at)
    await story.not_touched(before)


def _answered(story: Story, killed_at: float) -> None:
    """Fail unless each start was answered, some of them by asking to come again."""
    silent = [error for error in story.front.refusals if not isinstance(error, ApiError)]
    assert not silent, silent
    answers = [one for one in story.front.starts if one.at > killed_at]
    refused = [one for one in answers if one.status != 201]
    assert refused, "nobody started while there was no master"
    assert all(one.status == 503 and one.retry_after for one in refused), refused
    assert answers[-1].status == 201
