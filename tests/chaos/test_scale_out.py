"""Two livekit-servers, two token servers, three workers: of each, one goes, and nothing is lost.

Rooms, jobs and media are spread by LiveKit's own mode of several nodes, and by nothing of ours.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from sessions.states import State
from tests.chaos.fates import Heard
from tests.chaos.nodes import asked_to_stop, calls_by_node, node_of_rooms
from tests.chaos.parts import Part
from tests.chaos.services import Differences
from tests.chaos.story import Calls, Story
from tests.chaos.users import User

pytestmark = [pytest.mark.timeout(300), pytest.mark.quick]

#: LiveKit gives a job to the node whose workers have most room, of three workers two have one node.
#: So few places let the third worker have calls before there are many.
_PLACES = 3
#: Two workers have places for them and one more.
_MOST_USERS = 5
_TALKERS = 3
_ATTEMPTS = 20
#: A node looks every five seconds whether there is anybody left.
_ENDS_WITHIN_S = 40.0
_HEARD_WITHIN_S = 60.0
#: What an agent that falls silent may still have said: it was on its way.
_LAST_WORDS_S = 2.0


@pytest.fixture(scope="module")
def differences(kind: Mapping[str, str]) -> Differences:
    """The fleet. Workers and users come in by different doors."""
    few_places = {"WORKER_CAPACITY": str(_PLACES)}
    return Differences(nodes=2, workers=3, of_workers={**kind, **few_places})


async def test_one_of_each_goes(story: Story) -> None:
    """1. Users start by both token servers; they talk on both nodes, with agents of three workers.
    2. A worker is killed, and the token server that leads. 3. Somebody starts. 4. A node is asked
    to stop. 5. More come, and an agent on that node is killed. 6. The calls on that node come to
    their end, and so does the node. 7. Somebody starts.

    Result: whoever lost an agent hears another one, nobody else's call is touched, whoever starts
    is served; no session ends but by its user.
    """
    users = await _come(story, await story.users(_TALKERS), _are_everywhere)
    hit = await _worker_and_leader_lost(story, users)
    users = [*(user for user in users if user not in hit), *await story.users(1)]
    for user in hit:
        await user.stop()
    users = await _come(story, users, _are_on_all_nodes)
    node = story.stage.nodes[0]
    await _drained(story, node, users)
    await _emptied(story, node, users)
    await story.users(1)
    await _all_end_by_their_users(story)


async def test_a_node_killed_while_it_drains(story: Story) -> None:
    """1. Users talk on both nodes. 2. One is asked to stop, and killed, as by a platform whose time
    of grace is over.

    Result: its calls go on at the other node, in the same sessions, and those there as they were.
    """
    gone, spared = await _node_gone(story, signal.SIGKILL)
    for user in gone:
        await story.alone(user)
    await story.not_touched(spared)
    nodes, (_, other) = await node_of_rooms(story.stage), story.stage.nodes
    assert {nodes[session.room] for session in (gone | spared).values()} == {other}
    await _all_end_by_their_users(story)


async def test_a_node_asked_twice(story: Story) -> None:
    """1. Users talk on both nodes. 2. One is asked to stop twice: it closes its rooms.

    Result: its calls are over, and their users know why; those at the other node go on.
    """
    gone, spared = await _node_gone(story, signal.SIGTERM)
    for user in gone:
        session = await story.until(user, State.ENDED)
        # What a server tells on its way out may get lost; then the rooms are seen to be gone.
        assert session.reason in {"room_closed", "room_gone"}
    await story.not_touched(spared)


async def _node_gone(story: Story, number: signal.Signals) -> tuple[Calls, Calls]:
    """Have users talk on both nodes; ask one to stop, and send it another signal.

    Return its calls, and those of the other node.
    """
    users = await _come(story, await story.users(_TALKERS), _are_on_all_nodes)
    node, other = story.stage.nodes
    by_node = await calls_by_node(story.stage, await _calls(story, users))
    story.expect_loss(by_node[node])
    await asked_to_stop(node)
    node.signal(number)
    await node.gone()
    gone_at = time.monotonic()
    if number is signal.SIGTERM:
        # It has told of its rooms' end; what is done about that takes a moment.
        for user in by_node[node]:
            await story.until(user, State.ENDED, deadline_s=_HEARD_WITHIN_S)
    heard = await asyncio.gather(*(_heard_anew(user, gone_at) for user in by_node[node]))
    how = "killed" if number is signal.SIGKILL else "asked twice"
    story.tell(f"node of two drains, and is {how}", heard)
    return by_node[node], by_node[other]


async def _heard_anew(user: User, gone_at: float) -> Heard:
    """Return how long after a node had gone a user heard an agent, its last words left out."""
    heard = await user.heard_after(gone_at + _LAST_WORDS_S, _HEARD_WITHIN_S)
    if heard.after_s is None:
        return heard
    return replace(heard, after_s=heard.after_s + _LAST_WORDS_S)


async def _come(
    story: Story,
    users: Sequence[User],
    are_right: Callable[[Story, Sequence[User]], Awaitable[bool]],
) -> list[User]:
    """Have users come, and the first ones leave, until they are where they are to be; return them.

    Who comes where is LiveKit's affair. There are not places for any number of them.
    """
    for _ in range(_ATTEMPTS):
        if await are_right(story, users):
            return list(users)
        if len(users) >= _MOST_USERS:
            await users[0].stop()
            users = users[1:]
        users = [*users, *await story.users(1)]
    pytest.fail(f"after {_ATTEMPTS} more users they are not where they are to be")


async def _are_everywhere(story: Story, users: Sequence[User]) -> bool:
    """Say whether both token servers, both nodes and all workers have a part in these calls."""
    calls, stage = await _calls(story, users), story.stage
    doors = {(await user.token()).server_url for user in users}
    return (
        doors == {stage.door_url(number) for number, _ in enumerate(stage.servers)}
        and all((await calls_by_node(stage, calls)).values())
        and {one.worker_id for one in calls.values()} == {one.id for one in stage.workers}
    )


async def _are_on_all_nodes(story: Story, users: Sequence[User]) -> bool:
    return all((await calls_by_node(story.stage, await _calls(story, users))).values())


async def _worker_and_leader_lost(story: Story, users: list[User]) -> Calls:
    """Kill the worker that has most calls, and the token server that would see to it.

    Return these calls, which have gone on.
    """
    before = await _calls(story, users)
    workers = [one.worker_id for one in before.values()]
    worker = story.stage.worker_of(max(workers, key=workers.count))
    leader = await story.leader()
    hit = {user: one for user, one in before.items() if one.worker_id == worker.id}
    story.expect_loss(hit)
    lost_at = time.monotonic()
    await asyncio.gather(worker.kill(), leader.kill())
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("worker of three killed, and leader of two", heard)
    for user in hit:
        assert (await story.alone(user)).worker_id != worker.id
    await story.not_touched({user: one for user, one in before.items() if user not in hit})
    return hit


async def _drained(story: Story, node: Part, users: Sequence[User]) -> None:
    """Ask a node to stop: calls on it go on, and new ones go to the other."""
    before = await _calls(story, users)
    await asked_to_stop(node)
    story.tell("start while a node drains", [await _comes_and_goes(story, node) for _ in range(3)])
    await story.not_touched(before)
    # Whoever loses an agent stays where they are.
    mine = (await calls_by_node(story.stage, before))[node]
    hit, spared = await story.parted([*mine, *(user for user in users if user not in mine)])
    story.expect_loss(hit)
    lost_at = time.monotonic()
    story.signal(next(iter(hit.values())), signal.SIGKILL)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("agent killed while a node drains", heard)
    await story.not_touched(spared)
    assert node.is_alive
    assert (await calls_by_node(story.stage, before))[node] == mine


async def _comes_and_goes(story: Story, node: Part) -> Heard:
    """Have somebody start, who leaves once there is an agent; fail if their room is on that node.

    There are not places for several at a time.
    """
    guest = story.guest()
    await guest.start()
    await guest.join(_HEARD_WITHIN_S)
    heard = await guest.served(_HEARD_WITHIN_S)
    nodes = await node_of_rooms(story.stage)
    assert nodes[(await story.session(guest)).room] is not node, "a node that drains has a new room"
    await guest.leave()
    await guest.stop()
    return heard


async def _emptied(story: Story, node: Part, users: Sequence[User]) -> None:
    """Have the calls on a node that drains come to their end: then it ends, and nobody minds."""
    by_node = await calls_by_node(story.stage, await _calls(story, users))
    leaving = by_node.pop(node)
    for user in leaving:
        await user.stop()
    await node.gone(_ENDS_WITHIN_S)
    for calls in by_node.values():
        await story.not_touched(calls)


async def _all_end_by_their_users(story: Story) -> None:
    """Have everybody end their call: fail for any session that has ended otherwise."""
    for visitor in story.visitors:
        await visitor.stop()
        session = await story.until(visitor, State.ENDED, State.FAILED)
        assert (session.status, session.reason, session.error) == (State.ENDED, None, None)


async def _calls(story: Story, users: Sequence[User]) -> Calls:
    return {user: await story.session(user) for user in users}
