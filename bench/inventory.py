"""Which keys there are in a store, by kind, and what they weigh."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

_ID = re.compile(r"[0-9a-f]{32,40}")
_AT_ONCE = 500


@dataclass(slots=True)
class Kind:
    """All keys whose names differ in an id only."""

    name: str
    keys: int = 0
    bytes: int = 0
    #: Entries of a sorted set; None where there is none.
    members: int | None = None
    #: How many of the keys never expire.
    without_ttl: int = 0
    #: The longest time to live among the others.
    ttl_s: int = 0


async def inventory(redis: Redis) -> list[Kind]:
    """Return what is in Redis, the heaviest kind first. Everything in it belongs to the store."""
    kinds: dict[str, Kind] = {}
    names = [str(name) async for name in redis.scan_iter(count=_AT_ONCE)]
    for start in range(0, len(names), _AT_ONCE):
        await _weigh(redis, names[start : start + _AT_ONCE], kinds)
    return sorted(kinds.values(), key=lambda kind: -kind.bytes)


async def weights(redis: Redis, names: Sequence[str]) -> list[int]:
    """Return what Redis says that keys weigh; nothing for those that are not there."""
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.memory_usage(name, samples=0)
    return [int(weight or 0) for weight in await pipeline.execute()]


async def _weigh(redis: Redis, names: Sequence[str], kinds: dict[str, Kind]) -> None:
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.ttl(name)
        pipeline.type(name)
    facts = await pipeline.execute()
    for place, (name, weight) in enumerate(zip(names, await weights(redis, names), strict=True)):
        ttl_s, what = facts[2 * place], facts[2 * place + 1]
        known_as = _ID.sub("<id>", name.partition(":")[2])
        kind = kinds.setdefault(known_as, Kind(known_as))
        kind.keys += 1
        kind.bytes += weight
        kind.without_ttl += ttl_s == -1
        kind.ttl_s = max(kind.ttl_s, ttl_s)
        if what == "zset":
            kind.members = (kind.members or 0) + int(await redis.zcard(name))
