"""What is left in Redis when all sessions are over and their history has passed."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from bench.inventory import Kind, inventory
from bench.load import each, finish
from bench.memory import Population
from bench.options import Options
from bench.progress import Progress
from bench.redis_server import Server
from bench.table import Aim, Row, Table
from sessions.keys import Keys
from sessions.states import TERMINAL
from sessions.store import SessionStore

#: What a store always has, however many sessions there were.
_FIXED = frozenset({"store", "pool:stats", "startups", "claims", "minutes", "events"})
_INDEXES = frozenset(f"session:{state}" for state in TERMINAL)
_NONE = Aim(limit=0)
#: used_memory differs by a few KB from one reading to the next.
_NOISE = Aim(limit=16_384)


async def leftovers_table(
    server: Server, options: Options, there: Population, progress: Progress
) -> Table:
    """End all sessions, wait, and list what is left."""
    async with server.client() as redis:
        store = SessionStore(redis, there.settings)
        await each(there.ids, lambda session_id: finish(store, session_id), progress.tell, "ended")
    await _wait(server, there, options.wait_s, progress)
    used = await server.used_memory()
    async with server.client() as redis:
        kinds = await inventory(redis)
        stale = await _stale(redis, there)
    totals = _totals(kinds, stale, used - there.fixed)
    return Table(
        part="leftovers",
        question=f"keys {options.wait_s:,.0f} s after {len(there.ids):,} sessions ended "
        f"(history: {options.history_s:,} s)",
        subject="key",
        rows=[*totals, *(_row(kind) for kind in kinds)],
        notes=(
            "fixed keys: " + ", ".join(sorted(_FIXED)),
            "while waiting, only the supervisor's pass over the queue ran, once a second",
            "TTL is the longest of the kind; MEMORY USAGE tells a little less than an index takes",
        ),
    )


async def _wait(server: Server, there: Population, seconds: float, progress: Progress) -> None:
    """Wait as a fleet without users does: its supervisor looks at the queue, and prunes."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    async with server.client() as redis:
        store = SessionStore(redis, there.settings)
        while (left := until - clock()) > 0:
            progress.tell(f"{left:.0f} s until what is left is counted")
            await store.queue.advance()
            await asyncio.sleep(min(left, 1.0))


async def _stale(redis: Redis, there: Population) -> int:
    """Count entries of the indexes whose session is past the history."""
    keys = Keys(there.settings.redis_prefix)
    seconds, _ = await redis.time()
    oldest = (int(seconds) - there.settings.history_ttl_s) * 1000
    counts = [await redis.zcount(keys.in_state(state), "-inf", oldest) for state in TERMINAL]
    return sum(int(count) for count in counts)


def _totals(kinds: list[Kind], stale: int, above: int) -> list[Row]:
    surplus = [kind for kind in kinds if kind.name not in _FIXED | _INDEXES]
    indexes = [kind for kind in kinds if kind.name in _INDEXES]
    return [
        Row(
            name="all beyond the fixed keys and the indexes",
            figures={
                "keys": sum(kind.keys for kind in surplus),
                "bytes": sum(kind.bytes for kind in surplus),
            },
            aim=_NONE,
        ),
        Row(
            name="entries of indexes past the history",
            figures={
                "members": stale,
                "keys": len(indexes),
                "bytes": sum(kind.bytes for kind in indexes),
            },
            aim=_NONE,
        ),
        Row(name="used_memory above the fixed cost", figures={"bytes": above}, aim=_NOISE),
    ]


def _row(kind: Kind) -> Row:
    ttl = f"{kind.ttl_s:,} s" if kind.keys > kind.without_ttl else ""
    never = f"none for {kind.without_ttl:,}" if kind.without_ttl else ""
    return Row(
        name=f"  {kind.name}",
        figures={
            "keys": kind.keys,
            "bytes": kind.bytes,
            "members": kind.members,
            "TTL": ", ".join(filter(None, (never, ttl))),
        },
    )
