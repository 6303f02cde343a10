"""Sentinel puts a replica in the place of Redis's master, while users come and talk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.chaos.arrivals import fail_over
from tests.chaos.services import Differences
from tests.chaos.story import Story
from tests.support.redis_topologies import Watched, farm, watched

pytestmark = [pytest.mark.timeout(240), pytest.mark.quick]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A master, its replica, and the sentinel that watches them."""
    with farm(tmp_path_factory.mktemp("redis")) as servers:
        yield watched(servers)


@pytest.fixture(scope="module")
def differences(redis: Watched, kind: Mapping[str, str]) -> Differences:
    """A small fleet whose sessions are there."""
    return Differences(of_workers=kind, servers=1, workers=1, redis_url=redis.url)


async def test_failover(story: Story, redis: Watched) -> None:
    """1. Two users talk; others start, one after the other, and leave once they have an agent.
    2. The master is killed. 3. The sentinel promotes the replica.

    Result: who starts meanwhile is let in, or told to come again, and everybody gets an agent; the
    two talk on with the agents they had; no session is lost.
    """
    await fail_over(story, redis, "Sentinel, master killed")
