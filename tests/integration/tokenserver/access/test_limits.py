"""Limits hold however many call at once and whichever replica they ask."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from tests.integration.tokenserver.access.conftest import TEN, MakeLimits
from tests.support.wait import eventually
from tokenserver.access.addresses import limit_key
from tokenserver.access.limits import SETTINGS, RateLimits, Rule, Verdict, rate_headers
from tokenserver.settings import TokenserverSettings

ADDRESS = "198.51.100.9"
ADMIN_KEY = "an-admin-key-for-tests-only"


@pytest.fixture
def limits(make_limits: MakeLimits, settings: TokenserverSettings) -> RateLimits:
    return make_limits(settings)


async def many(count: int, limits: RateLimits, who: str = ADDRESS) -> list[Verdict]:
    return await asyncio.gather(*(limits.hit(Rule.STARTS, who) for _ in range(count)))


def allowed(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.is_allowed]


async def test_fifty_at_once_get_what_is_allowed(limits: RateLimits) -> None:
    verdicts = await many(50, limits)
    # Each that is allowed leaves another number behind.
    assert sorted(verdict.remaining for verdict in allowed(verdicts)) == list(range(TEN))
    assert {verdict.limit for verdict in verdicts} == {TEN}
    assert all(1 <= verdict.reset_s <= 60 for verdict in verdicts)
    assert limits.is_shared


async def test_a_thousand_calls_from_one_address(limits: RateLimits) -> None:
    """Attack 25: 1. A thousand starts come from one address. 2. Somebody else starts one.

    Result: the limit's number succeed, the rest are told when to come back; the other is not
    affected.
    """
    verdicts = [verdict for _ in range(10) for verdict in await many(100, limits)]
    assert len(allowed(verdicts)) == TEN
    for verdict in verdicts:
        headers = rate_headers(verdict)
        assert ("Retry-After" in headers) is not verdict.is_allowed
        assert int(headers.get("Retry-After", "1")) >= 1
    assert (await limits.hit(Rule.STARTS, "203.0.113.5")).remaining == TEN - 1


async def test_a_thousand_addresses_of_one_customer(limits: RateLimits) -> None:
    """Attack 25, with IPv6: each call comes from another address of one network."""
    calls = (
        limits.hit(Rule.STARTS, limit_key(f"2001:db8:1:2::{place:x}")) for place in range(1000)
    )
    assert len(allowed(await asyncio.gather(*calls))) == TEN


async def test_a_thousand_at_once_open_few_connections(limits: RateLimits, redis: Redis) -> None:
    """Attack 25: so many connections take so long that the last callers would time out. They would
    be counted apart, as if Redis were away, and get the limit twice.
    """
    before = len(await redis.client_list())
    assert len(allowed(await many(1000, limits))) == TEN
    assert len(await redis.client_list()) <= before + 4
    assert limits.is_shared


async def test_two_replicas_share_their_counts(
    make_limits: MakeLimits, settings: TokenserverSettings
) -> None:
    one, other = make_limits(settings), make_limits(settings)
    verdicts = await asyncio.gather(many(25, one), many(25, other))
    assert len(allowed([*verdicts[0], *verdicts[1]])) == TEN


async def test_rules_and_callers_are_counted_apart(
    make_limits: MakeLimits, settings: TokenserverSettings
) -> None:
    """Even when their limits are the same."""
    limits = make_limits(settings.model_copy(update=dict.fromkeys(SETTINGS.values(), TEN)))
    await many(TEN, limits)
    assert not (await limits.hit(Rule.STARTS, ADDRESS)).is_allowed
    for rule in (Rule.TOKENS, Rule.READS, Rule.ADMIN):
        verdict = await limits.hit(rule, ADDRESS)
        assert (verdict.is_allowed, verdict.limit, verdict.remaining) == (True, TEN, TEN - 1)
    assert (await limits.hit(Rule.STARTS, "198.51.100.10")).is_allowed


async def test_refused_calls_do_not_count_and_the_window_frees(
    make_limits: MakeLimits, settings: TokenserverSettings
) -> None:
    """1. All calls of a short period are used up. 2. Somebody calls on and on.

    Result: calls are allowed again, but no more than the limit at once.
    """
    limits = make_limits(settings, period_s=2)

    async def is_refused() -> bool:
        return len(allowed(await many(3 * TEN, limits))) < 3 * TEN

    async def is_free() -> bool:
        return (await limits.hit(Rule.STARTS, ADDRESS)).is_allowed

    for _ in range(3):
        await eventually(is_refused, message="the calls are used up")
        await eventually(is_free, message="a call is free again")


async def test_whoever_comes_back_when_told_is_let_in(
    make_limits: MakeLimits, settings: TokenserverSettings
) -> None:
    """1. A caller uses up all calls. 2. It waits for `Retry-After` and calls again, three times.

    Result: it is let in each time.
    """
    limits = make_limits(settings, period_s=3)
    for _ in range(3):
        verdict = await limits.hit(Rule.STARTS, ADDRESS)
        while verdict.is_allowed:
            verdict = await limits.hit(Rule.STARTS, ADDRESS)
        assert verdict.remaining == 0
        assert 1 <= verdict.reset_s <= 3
        # Not a wait for something to happen: it is this time that is tested.
        await asyncio.sleep(int(rate_headers(verdict)["Retry-After"]))
        assert (await limits.hit(Rule.STARTS, ADDRESS)).is_allowed


async def test_a_call_is_one_way_to_redis(
    make_limits: MakeLimits, settings: TokenserverSettings, redis: Redis
) -> None:
    limits = make_limits(settings)
    await limits.hit(Rule.STARTS, ADDRESS)
    before = await calls(redis)
    for _ in range(7):
        await limits.hit(Rule.STARTS, ADDRESS)
    spent = await calls(redis) - before
    spent.pop("info", None)
    # What the script itself calls is counted, too; it does not travel.
    assert spent.pop("evalsha") == 7
    assert not {"eval", "script|load", "script|exists", "multi", "ping"} & set(spent)


async def test_whoever_does_not_know_our_secret_cannot_name_a_callers_keys(
    make_limits: MakeLimits, settings: TokenserverSettings, redis: Redis
) -> None:
    """IPv4 addresses can all be tried in seconds, where the hash has no key."""
    other = settings.model_copy(update={"livekit_api_secret": SecretStr("s" * 32)})
    for known in (settings, other):
        await make_limits(known).hit(Rule.STARTS, ADDRESS)
    found = [key async for key in redis.scan_iter(f"{{{settings.redis_prefix}}}:limits:*")]
    assert len(found) == 2


async def calls(redis: Redis) -> Counter[str]:
    stats = await redis.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()})


async def test_a_forgotten_script_is_brought_again(limits: RateLimits, redis: Redis) -> None:
    await limits.hit(Rule.STARTS, ADDRESS)
    await redis.script_flush()
    assert (await limits.hit(Rule.STARTS, ADDRESS)).remaining == TEN - 2
    assert limits.is_shared


async def test_keys_expire_and_name_nobody(
    make_limits: MakeLimits, settings: TokenserverSettings, redis: Redis
) -> None:
    """1. Callers use up their limits until there is a previous window. 2. All keys are listed.

    Result: all are ours, all expire within two periods, and neither an address nor an admin key
    can be read from them or tried out.
    """
    limits = make_limits(settings, period_s=1)
    prefix = f"{{{settings.redis_prefix}}}:limits:"

    async def has_previous() -> bool:
        for who in (ADDRESS, ADMIN_KEY):
            for rule in Rule:
                await limits.hit(rule, who)
        return bool([key async for key in redis.scan_iter(f"{prefix}*/-1")])

    await eventually(has_previous, message="a window has ended")
    keys = [str(key) async for key in redis.scan_iter(f"*{settings.redis_prefix}*")]
    assert keys
    for key in keys:
        assert key.startswith(prefix)
        # -2: it has expired meanwhile.
        assert await redis.pttl(key) in {-2, *range(2001)}
    everything = "\n".join(keys)
    for secret in (ADDRESS, ADMIN_KEY, settings.livekit_api_secret.get_secret_value()):
        assert secret not in everything
        for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            assert digest(secret.encode()).hexdigest()[:16] not in everything
