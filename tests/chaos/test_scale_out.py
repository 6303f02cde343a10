"""Two livekit-servers, two token servers, three workers: of each, one goes, and nothing is lost.

Rooms, jobs and media are spread by LiveKit's own mode of several nodes, and by nothing of ours.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from sessions.states import State
from tests.chaos.nodes import calls_by_node, node_of_rooms, says
from tests.chaos.parts import Part
from tests.chaos.services import Differences
from tests.chaos.stage import Stage, standing_stage
from tests.chaos.story import Calls, Story
from tests.chaos.users import User
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.quick]

#: LiveKit gives a job to the node whose workers have most room, of three workers two have one node.
#: So few places let the third worker have calls before there are many.
_PLACES = 4
_MOST_USERS = 7
_ATTEMPTS = 20
_NEWCOMERS = 3
_HEARD_WITHIN_S = 60.0
#: It looks every five seconds whether there is anybody left.
_ENDS_WITHIN_S = 40.0
#: What an agent that falls silent may still have said: it was on its way.
_LAST_WORDS_S = 2.0
_DRAINS = "exit requested, shutting down"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kind: Mapping[str, str]) -> Iterator[Stage]:
    """The fleet. Workers and users come in by different doors."""
    few_places = {"WORKER_CAPACITY": str(_PLACES)}
    wide = Differences(nodes=2, workers=3, of_workers={**kind, **few_places})
    with standing_stage(tmp_path_factory.mktemp("stage"), wide) as stage:
        yield stage


async def test_one_of_each_goes(story: Story) -> None:
    """1. Users start by both token servers; they talk on both nodes, with agents of three workers.
    2. A worker is killed, and the token server that leads. 3. Somebody starts. 4. Both are started
    again. 5. A node is asked to stop. 6. More users start, and an agent on that node is killed.
    7. The calls on that node come to their end, and so does the node. 8. Somebody starts.

    Result: whoever lost an agent hears another one, nobody else's call is touched, whoever starts
    is served; no session ends but by its user.
    """
    users = await _everywhere(story)
    worker, server = await _worker_and_leader_lost(story, users)
    users += await story.users(1)
    await asyncio.gather(worker.start(), server.start())
    users = await _on_all_nodes(story, users)
    node = story.stage.nodes[0]
    users += await _drained(story, node, users)
    await _emptied(story, node, users)
    users += await story.users(1)
    await _all_end_by_their_users(story)


async def test_a_node_ends_with_its_calls(story: Story) -> None:
    """1. Users talk on both nodes. 2. One is asked to stop, and then told to, as by an operator who
    has lost patience.

    Result: its calls go on at the other node, in the same sessions, and those there as they were.
    """
    users = await _on_all_nodes(story, await story.users(3))
    node, other = story.stage.nodes
    before = await _calls(story, users)
    by_node = await calls_by_node(story.stage, before)
    story.expect_loss(by_node[node])
    node.signal(signal.SIGTERM)
    await eventually(lambda: _says(node, _DRAINS), message="it drains")
    node.signal(signal.SIGTERM)
    await node.gone(_ENDS_WITHIN_S)
    gone_at = time.monotonic()
    heard = await asyncio.gather(
        *(user.heard_after(gone_at + _LAST_WORDS_S, _HEARD_WITHIN_S) for user in by_node[node])
    )
    story.tell("node of two stopped with its calls", heard)
    for user in by_node[node]:
        await story.alone(user)
    await story.not_touched(by_node[other])
    nodes = await node_of_rooms(story.stage)
    assert {nodes[session.room] for session in before.values()} == {other}
    await _all_end_by_their_users(story)


async def _everywhere(story: Story) -> list[User]:
    """Have users talk until both token servers, both nodes and all workers have a part in it.

    Who comes where is LiveKit's affair: others come, and some leave, until it is so.
    """
    users = await story.users(_PLACES)
    for _ in range(_ATTEMPTS):
        if await _are_everywhere(story, users):
            return users
        if len(users) == _MOST_USERS:
            await users.pop(0).stop()
        users += await story.users(1)
    pytest.fail(f"after {_ATTEMPTS} more users they are not everywhere")


async def _are_everywhere(story: Story, users: Sequence[User]) -> bool:
    calls, stage = await _calls(story, users), story.stage
    doors = {(await user.token()).server_url for user in users}
    return (
        doors == {stage.door_url(number) for number, _ in enumerate(stage.servers)}
        and all((await calls_by_node(stage, calls)).values())
        and {one.worker_id for one in calls.values()} == {one.id for one in stage.workers}
    )


async def _on_all_nodes(story: Story, users: list[User]) -> list[User]:
    """Have more users talk until each node has a call; return all of them."""
    while not all((await calls_by_node(story.stage, await _calls(story, users))).values()):
        assert len(users) < _PLACES * len(story.stage.workers), "one node has all rooms"
        users = [*users, *await story.users(1)]
    return users


async def _worker_and_leader_lost(story: Story, users: list[User]) -> tuple[Part, Part]:
    """Kill the worker that has most calls, and the token server that would see to it."""
    before = await _calls(story, users)
    workers = [one.worker_id for one in before.values()]
    worker = story.stage.worker_of(max(workers, key=workers.count))
    leader = await story.leader()
    hit = {user: one for user, one in before.items() if one.worker_id == worker.id}
    story.expect_loss(hit)
    lost_at = time.monotonic()
    await asyncio.gather(worker.kill(), leader.kill())
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("of three workers one killed, of two token servers the leader", heard)
    for user in hit:
        assert (await story.alone(user)).worker_id != worker.id
    await story.not_touched({user: one for user, one in before.items() if user not in hit})
    return worker, leader


async def _drained(story: Story, node: Part, users: Sequence[User]) -> list[User]:
    """Ask a node to stop: calls on it go on, and new ones go to the other; return the new ones."""
    before = await _calls(story, users)
    node.signal(signal.SIGTERM)
    await eventually(lambda: _says(node, _DRAINS), message="it drains")
    newcomers = await story.users(_NEWCOMERS)
    by_node = await calls_by_node(story.stage, await _calls(story, [*users, *newcomers]))
    assert not by_node[node].keys() & set(newcomers), "a node that drains has new rooms"
    await story.not_touched(before)
    # Whoever has lost an agent stays where they are.
    elsewhere = [user for user in (*users, *newcomers) if user not in by_node[node]]
    hit, spared = await story.parted([*by_node[node], *elsewhere])
    story.expect_loss(hit)
    lost_at = time.monotonic()
    story.signal(next(iter(hit.values())), signal.SIGKILL)
    heard = await story.heard_again(hit, lost_at, _HEARD_WITHIN_S)
    story.tell("agent killed on a node that drains", heard)
    await story.not_touched(spared)
    assert node.is_alive
    still = await calls_by_node(story.stage, await _calls(story, users))
    assert still[node].keys() == by_node[node].keys()
    return newcomers


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


async def _says(node: Part, words: str) -> bool:
    return says(node, words)
