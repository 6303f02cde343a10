"""Redis is lost, stands still, is slow, full, or takes no writes: calls go on, nobody is judged.

What an operator would call an outage of Redis is none for those who talk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis.asyncio import Redis

from devstack.services.ports import free_port
from tests.chaos.fates import Heard
from tests.chaos.stage import Stage
from tests.chaos.story import Story
from tests.chaos.users import User, Visitor
from tests.support.fault_proxy import Fault
from voicefleet_client import ApiError

pytestmark = pytest.mark.timeout(240)

#: Longer than a lease, its suspicion and a sweep.
_TROUBLE_S = 10.0
_ABSENCE_S = 30.0
_HEARD_WITHIN_S = 30.0
#: How long somebody who starts meanwhile asks again; longer than one answer takes.
_PATIENCE_S = 1.0

Trouble = Callable[[Stage], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize("absence_s", [0.0, _ABSENCE_S], ids=["at once", "30 s"])
async def test_killed(story: Story, absence_s: float) -> None:
    """1. Three users talk. 2. Redis is killed, and started again, at once or after 30 s.

    Result: no call is touched; who starts meanwhile is told to come again, and may afterwards.
    """
    users = await story.users(3)
    before = {user: await story.session(user) for user in users}
    killed_at = time.monotonic()
    await story.stage.redis.kill()
    if absence_s:
        await _refused(story)
        await _talks(users, killed_at)
        await asyncio.sleep(max(0.0, killed_at + absence_s - time.monotonic()))
    await story.stage.redis.start()
    back_at = time.monotonic()
    heard = await asyncio.gather(*(user.heard_after(back_at, _HEARD_WITHIN_S) for user in users))
    story.tell(f"Redis killed, away for {absence_s:g} s", heard)
    await _starts(story)
    await _pass(back_at)
    await story.not_touched(before)


@asynccontextmanager
async def _stopped(stage: Stage) -> AsyncIterator[None]:
    stage.redis.stop()
    try:
        yield
    finally:
        stage.redis.cont()


@asynccontextmanager
async def _slow(stage: Stage) -> AsyncIterator[None]:
    """Slower than a token server waits."""
    for gate in (stage.servers_redis, stage.workers_redis):
        await gate.switch(Fault.DELAY, delay_s=0.6)
    yield
    for gate in (stage.servers_redis, stage.workers_redis):
        await gate.switch(Fault.PASS)


@asynccontextmanager
async def _read_only(stage: Stage) -> AsyncIterator[None]:
    """As one whose master is gone."""
    async with Redis.from_url(stage.services.redis_url) as redis:
        await redis.replicaof("127.0.0.1", str(free_port()))
        try:
            yield
        finally:
            await redis.replicaof("NO", "ONE")


@asynccontextmanager
async def _full(stage: Stage) -> AsyncIterator[None]:
    async with Redis.from_url(stage.services.redis_url) as redis:
        await redis.config_set("maxmemory", "1mb")
        try:
            yield
        finally:
            await redis.config_set("maxmemory", "0")


@asynccontextmanager
async def _cut_off(stage: Stage) -> AsyncIterator[None]:
    """The workers cannot reach it; the token servers can."""
    await stage.workers_redis.switch(Fault.BLACK_HOLE)
    yield
    await stage.workers_redis.switch(Fault.PASS)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(_stopped, id="stopped"),
        pytest.param(_slow, id="slow"),
        pytest.param(_read_only, id="read-only"),
        pytest.param(_full, id="full"),
    ],
)
async def test_troubled(story: Story, trouble: Trouble, request: pytest.FixtureRequest) -> None:
    """1. Three users talk. 2. For ten seconds, longer than a lease, nobody can write to Redis.

    Result: no call is touched; who starts meanwhile is told to come again, and may afterwards.
    """
    users = await story.users(3)
    before = {user: await story.session(user) for user in users}
    began_at = time.monotonic()
    async with trouble(story.stage):
        await _refused(story)
        await _talks(users, began_at)
        await asyncio.sleep(max(0.0, began_at + _TROUBLE_S - time.monotonic()))
    over_at = time.monotonic()
    heard = await asyncio.gather(*(user.heard_after(over_at, _HEARD_WITHIN_S) for user in users))
    story.tell(f"Redis {request.node.callspec.id}", heard)
    await _starts(story)
    await _pass(over_at)
    await story.not_touched(before)


async def test_workers_cut_off(story: Story) -> None:
    """1. Three users talk. 2. For ten seconds the workers cannot reach Redis; others can.

    Result: nobody can tell such agents from dead ones. They are replaced where another can come,
    and whoever was replaced leaves: each user hears an agent in the end, and only one.
    """
    users = await story.users(3)
    story.watcher.expect_losses()
    story.watcher.limits.recovering_s = story.watcher.limits.starting_s = _HEARD_WITHIN_S
    began_at = time.monotonic()
    async with _cut_off(story.stage):
        await asyncio.sleep(_TROUBLE_S)
    over_at = time.monotonic()
    heard = await asyncio.gather(*(user.heard_after(over_at, _HEARD_WITHIN_S) for user in users))
    assert over_at - began_at >= _TROUBLE_S
    story.tell("workers cut off from Redis", heard)
    for user in users:
        await story.alone(user)


async def _refused(story: Story) -> None:
    """Fail unless who starts now is told to come again."""
    visitor = Visitor(story.front)
    with pytest.raises(ApiError) as refusal:
        await visitor.start(deadline_s=_PATIENCE_S)
    assert (refusal.value.status, refusal.value.code) == (503, "store_unavailable")
    assert refusal.value.retry_after_s is not None


async def _talks(users: list[User], since: float) -> None:
    """Fail unless all these talk on without Redis."""
    heard: list[Heard] = await asyncio.gather(
        *(user.heard_after(since + _PATIENCE_S, _HEARD_WITHIN_S) for user in users)
    )
    assert all(one.after_s is not None for one in heard), heard


async def _starts(story: Story) -> None:
    """Fail unless another user can start and talk."""
    (user,) = await story.users(1)
    await user.leave()


async def _pass(since: float) -> None:
    """Wait for as long as somebody could still be judged by what was before."""
    await asyncio.sleep(max(0.0, since + _TROUBLE_S - time.monotonic()))
