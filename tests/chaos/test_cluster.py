"""Sessions are kept in a cluster of Redis: on one of its masters, which is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.states import State
from tests.chaos.arrivals import fail_over
from tests.chaos.services import Differences
from tests.chaos.story import Story
from tests.support.redis_topologies import Cluster, Server, command, farm, replicated_cluster

pytestmark = [pytest.mark.timeout(240), pytest.mark.quick]

_KEY = Keys(StoreSettings().redis_prefix).store
#: A master that is silent for so long has failed.
_NODE_TIMEOUT_MS = 2_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three masters; the one that has all sessions has a replica."""
    with farm(tmp_path_factory.mktemp("redis")) as servers:
        yield replicated_cluster(servers, _KEY, node_timeout_ms=_NODE_TIMEOUT_MS)


@pytest.fixture(scope="module")
def differences(redis: Cluster, kind: Mapping[str, str]) -> Differences:
    """A small fleet whose sessions are there."""
    return Differences(of_workers=kind, servers=1, workers=1, redis_url=redis.url)


async def test_a_call_and_a_failover(story: Story, redis: Cluster) -> None:
    """1. A user starts, talks, and ends the call. 2. Two users talk, others start, one after the
    other. 3. The master that has the sessions is killed; its replica takes its place.

    Result: all that is known of the call is in one slot; it has ended. As for the others: who
    starts meanwhile is let in, or told to come again, and everybody gets an agent; the two talk on
    with the agents they had; no session is lost.
    """
    (user,) = await story.users(1)
    slots = [await asyncio.to_thread(_slots, one) for one in (redis.master, *redis.others)]
    with redis.master.admin() as admin:
        assert slots == [{command(admin, "CLUSTER KEYSLOT", _KEY)}, set(), set()]
    await user.stop()
    await story.until(user, State.ENDED)
    await fail_over(story, redis, "cluster, master killed")


def _slots(server: Server) -> set[int]:
    """Return the slots that have keys on a server."""
    with server.admin() as admin:
        return {command(admin, "CLUSTER KEYSLOT", key) for key in admin.scan_iter(count=1_000)}
