"""What the store takes of Redis, and who reads it, for each session and each worker in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis

from bench.load import LASTING, each, go_live, newcomer
from bench.progress import Progress
from bench.redis_server import running_redis
from bench.servers import find_program
from bench.table import Row, Table
from bench.throughput import redis_cpu_s
from bench.unbatched import unbatched_store
from devstack.install.tools import REDIS
from sessions.fleet import Registration
from sessions.ids import SessionId, WorkerId
from sessions.model import Vitals
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore

_WORKERS = 100
_PER_PAGE = 200
_TICK_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What one of many took, in µs: of Redis, of this process, and the longest it was busy."""

    redis_us: float
    python_us: float
    #: For how long nothing else ran, by their number.
    blocked_us: float


async def measure_store(
    env: Mapping[str, str], sessions: int, progress: Progress
) -> dict[str, Take]:
    """Fill a store with live sessions and workers, and read it as the services do."""
    async with running_redis(find_program(REDIS, env), env, is_durable=False) as server:
        settings: StoreSettings = server.settings(
            max_sessions=100_000, user_starts_per_minute=0, worker_lease_s=600.0, **LASTING
        )
        async with server.client() as redis:
            alone = unbatched_store(redis, settings)
            store, ids = SessionStore(redis, settings), list[SessionId]()

            async def start(_: int) -> None:
                ids.append(await go_live(store, newcomer()))

            await each(range(sessions), start, progress.tell, "live sessions")
            for number in range(_WORKERS):
                await store.fleet.register(_worker(number))
            progress.tell("reading")
            return {
                "renew: a heartbeat, one after the other": await _take(
                    redis, lambda: _renew(store, ids), sessions
                ),
                "renew: 64 at a time, each from a process": await _take(
                    redis, lambda: _renew_many(alone, ids, progress), sessions
                ),
                "renew: 64 at a time, of one process": await _take(
                    redis, lambda: _renew_many(store, ids, progress), sessions
                ),
                "list: a session, 200 at a time": await _take(
                    redis, lambda: _list(store), sessions
                ),
                "read: a session, all at once": await _take(
                    redis, lambda: store.views.sessions(ids), sessions
                ),
                "workers: one of their list": await _take(redis, store.fleet.workers, _WORKERS),
            }


def _worker(number: int) -> Registration:
    return Registration(
        id=WorkerId(f"agents-7c9f4d-{number:08x}"),
        capacity=50,
        host="agents-7c9f4d",
        version="0.1.0",
    )


async def _renew(store: SessionStore, ids: Sequence[SessionId]) -> None:
    for session_id in ids:
        await _beat(store, session_id)


async def _renew_many(store: SessionStore, ids: Sequence[SessionId], progress: Progress) -> None:
    await each(ids, partial(_beat, store), progress.tell, "heartbeats")


async def _beat(store: SessionStore, session_id: SessionId) -> None:
    vitals = Vitals(agent_state="listening", pss_bytes=180_355_072)
    await store.renew(session_id, 1, vitals)


async def _list(store: SessionStore) -> None:
    after: str | None = None
    while True:
        page = await store.views.by_state(State.ACTIVE, limit=_PER_PAGE, after=after)
        if (after := page.next) is None:
            return


async def _take(redis: Redis, work: Callable[[], Awaitable[object]], count: int) -> Take:
    await work()  # the first one warms up
    before_s, own_s = await redis_cpu_s(redis), time.process_time()
    longest_s = [0.0]
    watching = asyncio.create_task(_watch(longest_s))
    await work()
    watching.cancel()
    own_s = time.process_time() - own_s
    return Take(
        redis_us=(await redis_cpu_s(redis) - before_s) / count * 1e6,
        python_us=own_s / count * 1e6,
        blocked_us=longest_s[0] / count * 1e6,
    )


async def _watch(longest_s: list[float]) -> None:
    """Note for how long nothing else could run, at most."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(_TICK_S)
        longest_s[0] = max(longest_s[0], time.monotonic() - began - _TICK_S)


def store_table(found: Mapping[str, Take], sessions: int) -> Table:
    """Return what was found."""
    return Table(
        part="store",
        question=f"µs of CPU that reading and renewing take, with {sessions:,} live sessions",
        subject="of one",
        rows=[
            Row(
                name=name,
                figures={
                    "Redis": round(one.redis_us, 1),
                    "Python": round(one.python_us, 1),
                    "blocked": round(one.blocked_us, 1),
                },
            )
            for name, one in found.items()
        ],
        notes=(
            "list and read: what the supervisor's reconcile does every 10 s; it reads again every "
            "2 s for unserved rooms; workers: what each worker does with its heartbeat, twice a "
            "second (AFFINITY)",
            "blocked: the longest time in which nothing else ran in the process that reads, by the "
            "number of what it read",
        ),
    )
