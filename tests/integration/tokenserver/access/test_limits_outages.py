"""Redis is away: limits hold in each process by itself, and nobody waits for Redis again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.services.ports import LOOPBACK, free_port
from tests.integration.tokenserver.access.conftest import TEN, MakeLimits, MakeSettings
from tests.support.redis_topologies import PASSWORD, Server, command, farm
from tests.support.wait import eventually
from tokenserver.access.limits import RateLimits, Rule

ADDRESS = "198.51.100.9"
#: Far more than the hasty client takes to give up, far less than one such wait per call.
NO_HANG_S = 10.0
#: In memory, windows end when the clock says so: rarely in the middle of a test.
PERIOD_S = 3600


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis for one test alone."""
    with farm(tmp_path) as servers:
        yield servers.server()


@pytest.fixture
def limits(server: Server, make_limits: MakeLimits, make_settings: MakeSettings) -> RateLimits:
    return make_limits(make_settings(server.url), period_s=PERIOD_S, cooldown_s=0.2)


async def many(count: int, limits: RateLimits) -> int:
    """Return how many of so many calls at once are allowed."""
    calls = (limits.hit(Rule.STARTS, ADDRESS) for _ in range(count))
    return sum(verdict.is_allowed for verdict in await asyncio.gather(*calls))


async def shares(limits: RateLimits) -> bool:
    await limits.hit(Rule.READS, ADDRESS)
    return limits.is_shared


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.levelname, record.getMessage().partition(":")[0])
        for record in caplog.records
        if record.name == "tokenserver.limits"
    ]


OUTAGE = ("WARNING", "rate limits are counted by this process alone")
RECOVERY = ("INFO", "rate limits are counted in Redis again")


async def test_a_redis_that_is_gone_and_comes_back(
    server: Server, limits: RateLimits, caplog: pytest.LogCaptureFixture
) -> None:
    """1. Redis stops. 2. Fifty starts come at once, and then many more. 3. It starts again.

    Result: as many are allowed as in the limit, by memory; one line in the log says so, one that
    it is over; then Redis counts again.
    """
    caplog.set_level(logging.INFO, "tokenserver.limits")
    assert await shares(limits)
    await asyncio.to_thread(server.stop)
    assert await many(50, limits) == TEN
    assert await many(50, limits) == 0
    assert not limits.is_shared
    assert told(caplog) == [OUTAGE]
    assert str(server.port) not in "".join(str(vars(record)) for record in caplog.records)
    await asyncio.to_thread(server.start)
    await eventually(lambda: shares(limits), message="Redis counts again")
    assert told(caplog) == [OUTAGE, RECOVERY]
    with server.admin() as admin:
        assert list(admin.scan_iter("*:limits:reads/*"))
    # What memory knows is not what Redis knows: after an outage, the count is that of Redis.
    assert await many(50, limits) == TEN


async def test_a_frozen_redis_is_not_waited_for_again_and_again(
    server: Server, make_limits: MakeLimits, make_settings: MakeSettings
) -> None:
    """1. Redis is stopped in mid-air. 2. Fifty at once find out. 3. Two hundred come one by one.

    Result: only the first wait; one time-out for each of the others would take minutes.
    """
    limits = make_limits(make_settings(server.url), period_s=PERIOD_S, cooldown_s=600)
    assert await shares(limits)
    with server.frozen():
        async with asyncio.timeout(NO_HANG_S):
            assert await many(50, limits) == TEN
            for _ in range(200):
                assert not (await limits.hit(Rule.STARTS, ADDRESS)).is_allowed


async def test_only_one_tries_while_the_others_go_on(server: Server, limits: RateLimits) -> None:
    """1. Redis is frozen, and known to be away. 2. The time to try again comes; calls go on.

    Result: of those that come while one waits for Redis, none waits.
    """
    assert await shares(limits)
    with server.frozen():
        await many(1, limits)
        assert not limits.is_shared
        limits._cooldown_s = 600
        limits._ask_at_s = 0.0
        trial = asyncio.create_task(limits.hit(Rule.READS, ADDRESS))
        await asyncio.sleep(0)
        for _ in range(50):
            await limits.hit(Rule.READS, ADDRESS)
        assert not trial.done()
        await trial


async def test_a_trial_that_is_cancelled_is_not_the_last(
    server: Server, limits: RateLimits
) -> None:
    """The one who tries hangs up before Redis answers; somebody else tries later."""
    with server.frozen():
        await many(1, limits)
        assert not limits.is_shared
        limits._ask_at_s = 0.0
        trial = asyncio.create_task(limits.hit(Rule.READS, ADDRESS))
        await asyncio.sleep(0)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        assert not limits.is_shared
    await eventually(lambda: shares(limits), message="Redis counts again")


async def test_a_redis_that_refuses_counts_as_away(
    server: Server, limits: RateLimits, caplog: pytest.LogCaptureFixture
) -> None:
    """1. Redis is full. 2. It has room again. 3. It asks for a password all of a sudden."""
    with server.admin() as admin:
        command(admin, "CONFIG SET", "maxmemory", "1")
        assert await many(50, limits) == TEN
        assert not limits.is_shared
        command(admin, "CONFIG SET", "maxmemory", "0")
        await eventually(lambda: shares(limits), message="Redis counts again")
        command(admin, "CONFIG SET", "requirepass", PASSWORD)
        command(admin, "CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        assert not await shares(limits)
    assert PASSWORD not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel", "redis+cluster"])
async def test_a_redis_that_was_never_there(
    make_limits: MakeLimits, make_settings: MakeSettings, scheme: str
) -> None:
    service = "/voicefleet" if scheme == "redis+sentinel" else ""
    url = f"{scheme}://{LOOPBACK}:{free_port()}{service}"
    limits = make_limits(make_settings(url), period_s=PERIOD_S, cooldown_s=600)
    assert limits.is_shared
    async with asyncio.timeout(NO_HANG_S):
        assert await many(50, limits) == TEN
    assert not limits.is_shared
