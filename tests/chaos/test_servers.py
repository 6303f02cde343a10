"""Token servers die in the middle of what they do; the one that leads is lost, or stands still."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from sessions.states import LIVE, State
from tests.chaos.fates import Heard
from tests.chaos.story import Story
from tests.chaos.users import User
from tests.support.fault_proxy import Fault
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(240)

_HEARD_WITHIN_S = 40.0
#: Longer than a leader's lease.
_STOPPED_S = 8.0


@pytest.mark.parametrize("has_room", [False, True], ids=["before", "after"])
async def test_killed_in_a_start(story: Story, *, has_room: bool) -> None:
    """1. A start has its slot, and LiveKit has not heard of it, or has opened the room, and its
    answer is on the way. 2. Both token servers are killed, and started again. 3. The user asks
    again, with the key of before.

    Result: one session, one room, and an agent that speaks.
    """
    stage, user = story.stage, await story.user()
    # An agent that came before the servers died may be replaced: they do not know what they did.
    story.watcher.expect_losses()
    if has_room:
        await stage.servers_livekit.switch(Fault.DELAY, delay_s=1.2)
    else:
        await stage.servers_livekit.switch(Fault.BLACK_HOLE)
    starting = asyncio.create_task(user.start())
    await eventually(lambda: _has_begun(story, has_room=has_room), 10)
    await asyncio.gather(*(server.kill() for server in stage.servers))
    await stage.servers_livekit.switch(Fault.PASS)
    await asyncio.gather(*(server.start() for server in stage.servers))
    await starting
    await user.join()
    user.talk()
    heard = await user.heard_after(user.asked_at, _HEARD_WITHIN_S)
    when = "after" if has_room else "before"
    story.tell(f"token servers killed {when} the room is there", [heard])
    await story.alone(user)
    counts = await story.store.views.counts()
    assert sum(counts[state] for state in {*LIVE, State.ENDING}) == 1


async def test_leader_killed(story: Story) -> None:
    """1. Two users talk. 2. The leader cannot reach LiveKit for a moment; an agent dies, and the
    leader, too, in the middle of sending another one.

    Result: the other token server leads, and sends it. Nobody else's call is touched.
    """
    hit, spared = await story.parted(await story.users(2))
    user = next(iter(hit))
    story.expect_loss(hit)
    leader = await story.leader()
    await story.stage.servers_livekit.switch(Fault.BLACK_HOLE)
    lost_at = time.monotonic()
    story.signal(hit[user], signal.SIGKILL)
    await story.until(user, State.RECOVERING)
    await leader.kill()
    await story.stage.servers_livekit.switch(Fault.PASS)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("agent and leader killed", heard)
    assert await story.leader() is not leader
    for one in hit:
        await story.alone(one)
    await story.not_touched(spared)


async def test_leader_stopped(story: Story) -> None:
    """1. Two users talk. 2. The leader stands still for longer than its lease; an agent is killed
    meanwhile. 3. It goes on.

    Result: another one leads, and has sent an agent; the old leader does nothing more to anybody.
    """
    hit, spared = await story.parted(await story.users(2))
    user = next(iter(hit))
    story.expect_loss(hit)
    leader = await story.leader()
    leader.stop()
    lost_at = time.monotonic()
    story.signal(hit[user], signal.SIGKILL)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("leader stopped, agent killed", heard)
    after = {one: await story.alone(one) for one in hit}
    await asyncio.sleep(max(0.0, lost_at + _STOPPED_S - time.monotonic()))
    assert await story.leader() is not leader
    leader.cont()
    await story.not_touched(after | spared)


async def test_no_server_at_all(story: Story) -> None:
    """1. Three users talk. 2. Both token servers are killed; an agent is, too. 3. One of them comes
    back ten seconds later.

    Result: the calls go on meanwhile; then the one that lost its agent gets another.
    """
    hit, spared = await story.parted(await story.users(3))
    story.expect_loss(hit)
    await asyncio.gather(*(server.kill() for server in story.stage.servers))
    lost_at = time.monotonic()
    story.signal(next(iter(hit.values())), signal.SIGKILL)
    heard_meanwhile = await asyncio.gather(
        *(other.heard_after(lost_at + 1, _HEARD_WITHIN_S) for other in spared)
    )
    assert all(one.after_s is not None for one in heard_meanwhile), heard_meanwhile
    await asyncio.sleep(max(0.0, lost_at + 10 - time.monotonic()))
    await story.stage.servers[0].start()
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("all token servers killed, agent killed", heard)
    for user in hit:
        await story.alone(user)
    await story.not_touched(spared)


async def test_restarted_one_by_one_under_starts(story: Story) -> None:
    """1. Users start, one after the other. 2. Meanwhile each token server is asked to stop, and
    started again. Result: each user gets an agent.
    """
    users: list[User] = [await story.user() for _ in range(6)]
    served = [asyncio.create_task(_greeted(user, place)) for place, user in enumerate(users)]
    for server in story.stage.servers:
        await server.terminate()
        await server.start()
    story.tell("token servers restarted in turns", await asyncio.gather(*served))


async def _greeted(user: User, place: int) -> Heard:
    await asyncio.sleep(place)
    await user.start()
    await user.join()
    return await user.heard_after(user.asked_at, _HEARD_WITHIN_S)


async def _has_begun(story: Story, *, has_room: bool) -> bool:
    counts = await story.store.views.counts()
    return counts[State.STARTING] == 1 and len(await story.halls.names()) == has_room
