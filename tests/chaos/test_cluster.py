"""Sessions are kept in a cluster of Redis: on one of its masters, which is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.states import State
from tests.chaos.arrivals import fail_over
from tests.chaos.services import Differences
from tests.chaos.stage import Stage, standing_stage
from tests.chaos.story import Story
from tests.support.redis_topologies import (
    Cluster,
    Server,
    command,
    farm,
    formed_cluster,
    is_master,
    replica_of,
)

pytestmark = [pytest.mark.timeout(240), pytest.mark.quick]

#: A master that is silent for so long has failed.
_NODE_TIMEOUT_MS = 2_000


@dataclass(frozen=True, kw_only=True)
class Redis:
    """Three masters; the one that has all sessions has a replica."""

    cluster: Cluster
    master: Server
    replica: Server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """The cluster."""
    with farm(tmp_path_factory.mktemp("redis")) as servers:
        cluster = formed_cluster(servers, node_timeout_ms=_NODE_TIMEOUT_MS)
        master = cluster.master_of(Keys(StoreSettings().redis_prefix).store)
        replica = replica_of(servers, cluster, master)
        yield Redis(cluster=cluster, master=master, replica=replica)


@pytest.fixture(scope="module")
def stage(
    redis: Redis, tmp_path_factory: pytest.TempPathFactory, kind: Mapping[str, str]
) -> Iterator[Stage]:
    """A small fleet whose sessions are there."""
    small = Differences(of_workers=kind, servers=1, workers=1, redis_url=redis.cluster.url)
    with standing_stage(tmp_path_factory.mktemp("stage"), small) as stage:
        yield stage


async def test_a_call_and_a_failover(story: Story, redis: Redis) -> None:
    """1. A user starts, talks, and ends the call. 2. Two users talk, others start, one after the
    other. 3. The master that has the sessions is killed; its replica takes its place.

    Result: all that is known of the call is in one slot; it has ended. As for the others: who
    starts meanwhile is let in, or told to come again, and everybody gets an agent; the two talk on
    with the agents they had; no session is lost.
    """
    (user,) = await story.users(1)
    slots = await asyncio.to_thread(_slots, redis.cluster)
    assert slots == {redis.master: {_slot_of(redis.master, story.store.settings)}}
    await user.stop()
    await story.until(user, State.ENDED)
    await fail_over(
        story, redis.master.kill, lambda: is_master(redis.replica), "cluster, master killed"
    )


def _slots(cluster: Cluster) -> dict[Server, set[int]]:
    """Return which slots have keys, by master, where there are any."""
    found = dict[Server, set[int]]()
    for master in cluster.masters:
        with master.admin() as admin:
            if keys := list(admin.scan_iter(count=1_000)):
                found[master] = {command(admin, "CLUSTER KEYSLOT", key) for key in keys}
    return found


def _slot_of(server: Server, settings: StoreSettings) -> int:
    with server.admin() as admin:
        return int(command(admin, "CLUSTER KEYSLOT", Keys(settings.redis_prefix).store))
