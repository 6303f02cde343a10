"""How many sessions one process gets through the store in a second."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from redis.asyncio import Redis

from bench.load import LASTING, agent, at_once, newcomer
from bench.options import Options
from bench.progress import Progress
from bench.redis_server import Server
from bench.table import Aim, Row, Table
from bench.unbatched import unbatched_store
from sessions.model import UserPolicy
from sessions.store import SessionStore

_AIM = Aim(limit=3_000, is_minimum=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One measurement: cycles a second, and what one cost in µs of CPU time on either side."""

    rate: float
    redis_us: float
    python_us: float


async def throughput_table(server: Server, options: Options, progress: Progress) -> Table:
    """Measure the store and the plain client library in turns."""
    settings = server.settings(max_sessions=100_000, **LASTING)
    rounds: dict[tuple[int, str], list[Round]] = {}
    async with server.client() as redis:
        stores: dict[str, SessionStore] = {
            "store": SessionStore(redis, settings),
            "plain": unbatched_store(redis, settings),
        }
        for number in range(options.rounds + 1):
            for clients in options.clients:
                # Who is first in one round is second in the next.
                for name in list(stores)[:: 1 if number % 2 else -1]:
                    progress.tell(f"round {number} of {options.rounds}, {clients} clients, {name}")
                    # The round before the first one opens connections and warms everything up.
                    seconds = options.seconds if number else min(options.seconds, 0.3)
                    one = await _measure(redis, stores[name], clients, seconds)
                    if number:
                        rounds.setdefault((clients, name), []).append(one)
    return _table(options, {key: _median(found) for key, found in rounds.items()})


async def _measure(redis: Redis, store: SessionStore, clients: int, seconds: float) -> Round:
    """Run cycles with so many clients at a time, on an empty store."""
    await redis.flushdb()
    redis_before, python_before = await redis_cpu_s(redis), time.process_time()
    began = time.perf_counter()
    cycles = await _cycles(store, clients, began + seconds)
    took, python_s = time.perf_counter() - began, time.process_time() - python_before
    redis_s = await redis_cpu_s(redis) - redis_before
    return Round(
        rate=cycles / took, redis_us=redis_s / cycles * 1e6, python_us=python_s / cycles * 1e6
    )


async def _cycles(store: SessionStore, clients: int, until: float) -> int:
    done = 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < until:
            done += 1
            who = newcomer(done)
            admission = await store.admit(who, policy=UserPolicy.REPLACE)
            await store.claim(who.id, admission.epoch, agent())
            await store.end(who.id)

    await at_once(clients, client)
    return done


async def redis_cpu_s(redis: Redis) -> float:
    """Return the CPU seconds that Redis has used so far."""
    cpu = await redis.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


def _median(rounds: list[Round]) -> Round:
    return Round(
        rate=statistics.median(one.rate for one in rounds),
        redis_us=statistics.median(one.redis_us for one in rounds),
        python_us=statistics.median(one.python_us for one in rounds),
    )


def _table(options: Options, found: dict[tuple[int, str], Round]) -> Table:
    best = max(options.clients, key=lambda clients: found[clients, "store"].rate)
    rows = [_row(str(clients), clients, found) for clients in options.clients]
    return Table(
        part="throughput",
        question="admit + claim + end in a second, from one process",
        subject="clients",
        rows=[*rows, _row(f"the best: {best}", best, found, _AIM)],
        notes=(
            f"medians of {options.rounds} rounds of {options.seconds:g} s, in turns with the plain "
            "client library: one EVALSHA a verb",
            "µs are CPU time for one cycle of three verbs; the load generator is part of Python's",
        ),
    )


def _row(
    name: str, clients: int, found: dict[tuple[int, str], Round], aim: Aim | None = None
) -> Row:
    store, plain = found[clients, "store"], found[clients, "plain"]
    return Row(
        name=name,
        figures={
            "cycles/s": round(store.rate),
            "plain": round(plain.rate),
            "ratio": round(store.rate / plain.rate, 2),
            "Redis µs": round(store.redis_us),
            "plain Redis µs": round(plain.redis_us),
            "Python µs": round(store.python_us),
            "plain Python µs": round(plain.python_us),
        },
        aim=aim,
    )
