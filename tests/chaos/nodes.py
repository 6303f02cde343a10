"""livekit-servers that are one: which has which room, by their Redis, and how one drains."""

from __future__ import annotations

import re
import signal

from redis.asyncio import Redis

from devstack.services.ports import LOOPBACK
from tests.chaos.parts import Part
from tests.chaos.stage import Stage
from tests.chaos.story import Calls
from tests.support.wait import eventually

_DRAINS = "exit requested, shutting down"
_ROOMS = "room_node_map"
_ID = re.compile(r'"nodeID": "(\w+)"')


async def node_of_rooms(stage: Stage) -> dict[str, Part]:
    """Return the livekit-server of each room."""
    url = f"redis://{LOOPBACK}:{stage.services.ports.redis}"
    async with Redis.from_url(url, decode_responses=True) as redis:
        rooms = await redis.hgetall(_ROOMS)
    nodes = {_id_of(node): node for node in stage.nodes}
    return {str(room): nodes[str(id_)] for room, id_ in rooms.items() if str(id_) in nodes}


async def calls_by_node(stage: Stage, calls: Calls) -> dict[Part, Calls]:
    """Return the calls of each livekit-server; of none where it has none."""
    nodes = await node_of_rooms(stage)
    return {
        node: {user: one for user, one in calls.items() if nodes.get(one.room) is node}
        for node in stage.nodes
    }


async def asked_to_stop(node: Part) -> None:
    """Ask a node to stop, and wait until it says that it has heard."""

    async def says_so() -> bool:
        return _DRAINS in node.log.read_text()

    node.signal(signal.SIGTERM)
    await eventually(says_so, message="it drains")


def _id_of(node: Part) -> str:
    """Return how a node calls itself; it is another one after each start."""
    found = _ID.search(node.log.read_text())
    assert found, f"{node.name} does not say who it is"
    return found[1]
