"""Limits hold on every kind of Redis, and with the few rights that docs/redis.md gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import pytest

from tests.integration.tokenserver.access.conftest import TEN, MakeLimits, MakeSettings
from tests.support.redis_topologies import Farm, cluster, farm, restricted, watched
from tests.support.wait import eventually
from tokenserver.access.limits import Rule

_KINDS: Mapping[str, Callable[[Farm], str]] = MappingProxyType(
    {"acl": restricted, "sentinel": lambda servers: watched(servers).url, "cluster": cluster}
)


@pytest.fixture(scope="module", params=_KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with farm(tmp_path_factory.mktemp(request.param)) as servers:
        yield _KINDS[request.param](servers)


async def test_limits_hold_and_free(
    url: str, make_limits: MakeLimits, make_settings: MakeSettings
) -> None:
    """1. Two replicas use up a caller's limit. 2. They call on until windows have passed.

    Result: all is counted in Redis: each command of the script was allowed, those of a window that
    ends (`rename`) included.
    """
    settings = make_settings(url)
    one, other = (make_limits(settings, period_s=1) for _ in range(2))
    strict = make_limits(settings)
    verdicts = await asyncio.gather(*(strict.hit(Rule.STARTS, "ada") for _ in range(50)))
    assert sum(verdict.is_allowed for verdict in verdicts) == TEN

    async def is_refused() -> bool:
        calls = (limits.hit(Rule.STARTS, "eve") for limits in (one, other) for _ in range(TEN))
        return not all(verdict.is_allowed for verdict in await asyncio.gather(*calls))

    async def is_free() -> bool:
        return (await one.hit(Rule.STARTS, "eve")).is_allowed

    for _ in range(3):
        await eventually(is_refused, message="the limit is used up")
        await eventually(is_free, message="the window has ended")
    assert one.is_shared
    assert other.is_shared
    assert strict.is_shared
