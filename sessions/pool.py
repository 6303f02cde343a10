"""The warm processes of the fleet: how many an admin wants, and how many the traffic asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.scripts import translated_errors

MAX_POOL_TARGET = 10_000


class Why(StrEnum):
    """What the number of warm processes is taken from."""

    #: The starts of the last hour: so many would have sufficed for nearly all of them.
    TRAFFIC = "traffic"
    #: The starts of the last minute: at this rate so many are taken before one is back.
    RATE = "rate"
    #: Traffic asks for fewer now; the pool shrinks step by step.
    CALMING = "calming"
    #: What is scheduled for this hour.
    SCHEDULE = "schedule"
    #: The least and the most that an operator allows.
    LEAST = "least"
    MOST = "most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How many warm processes the traffic asks for, and why. Times in ms since 1970."""

    size: int
    why: Why
    #: Starts of the last hour, and the share of them that this size had served warm; None of none.
    starts: int
    hit_share: float | None
    #: The most of them within `refill_ms`.
    peak: int
    #: How long it takes until one that was taken has been replaced.
    refill_ms: int
    at_ms: int
    #: Since when fewer would do; 0: they would not.
    calm_since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """What the fleet's warm processes are good for, counted since the store is there."""

    #: What an admin wants; None while nobody has said so.
    target: int | None
    total_spawned: int
    #: Sessions that got a warm process.
    total_assigned: int
    #: Sessions that had to wait for one to start.
    total_cold: int
    #: None where nobody tunes the pool, or not yet.
    tuning: Tuning | None = None


async def read_pool(engine: Engine) -> PoolStats:
    """Return what is wanted, and the counters. Raises StoreUnavailable."""
    pipeline = engine.redis.pipeline(transaction=False)
    pipeline.get(engine.keys.pool_target)
    pipeline.hgetall(engine.keys.pool_stats)
    pipeline.hgetall(engine.keys.pool_tuning)
    with translated_errors():
        target, counts, tuning = await pipeline.execute()
    return PoolStats(
        target=None if target is None else int(target),
        total_spawned=int(counts.get("total_spawned", 0)),
        total_assigned=int(counts.get("total_assigned", 0)),
        total_cold=int(counts.get("total_cold", 0)),
        tuning=_to_tuning(tuning) if tuning else None,
    )


async def write_target(engine: Engine, target: int | None) -> None:
    """Set what an admin wants; None: nothing. Raises InvalidInput, StoreUnavailable."""
    redis, key = engine.redis, engine.keys.pool_target
    if target is None:
        with translated_errors():
            await redis.delete(key)
        return
    if not 0 <= target <= MAX_POOL_TARGET:
        raise InvalidInput(f"the pool may have 0 to {MAX_POOL_TARGET} processes")
    with translated_errors():
        await redis.set(key, target)


async def write_tuning(engine: Engine, tuning: Tuning, *, ttl_s: int) -> bool:
    """Note what the traffic asks for; say whether it is another number than before.

    After `ttl_s` without another one each worker keeps its own number. Raises StoreUnavailable.
    """
    fields = {
        "size": tuning.size,
        "why": tuning.why.value,
        "starts": tuning.starts,
        "hitShare": "" if tuning.hit_share is None else round(tuning.hit_share, 4),
        "peak": tuning.peak,
        "refillMs": tuning.refill_ms,
        "at": tuning.at_ms,
        "calmSince": tuning.calm_since_ms,
    }
    listed = [str(part) for field in fields.items() for part in field]
    return bool((await engine.run("pool_tune", fields=listed, ttlS=ttl_s))["changed"])


def _to_tuning(fields: dict[str, str]) -> Tuning:
    share = fields["hitShare"]
    return Tuning(
        size=int(fields["size"]),
        why=Why(fields["why"]),
        starts=int(fields["starts"]),
        hit_share=float(share) if share else None,
        peak=int(fields["peak"]),
        refill_ms=int(fields["refillMs"]),
        at_ms=int(fields["at"]),
        calm_since_ms=int(fields["calmSince"]),
    )
