"""The registry of workers, the pool, and what a worker is told with its heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sessions.errors import InvalidInput, WorkerNotFound
from sessions.fleet import Beat, Registration, share
from sessions.ids import WorkerId
from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time

MakeStore = Callable[..., SessionStore]
START_MS = 1_000_000
W1, W2 = WorkerId("host-1"), WorkerId("host-2")
IDLE = Beat(active=0, idle=3, load=0.1, spawned=3)


def registration(worker_id: WorkerId = W1) -> Registration:
    return Registration(id=worker_id, capacity=10, host="host", version="0.1.0", livekit_id="AW_1")


async def test_a_worker_is_listed_with_what_it_says(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS)
    assert await store.fleet.register(registration())
    assert not await store.fleet.register(registration())
    store.now_ms = START_MS + 2_000
    beat = Beat(active=2, idle=1, load=0.25, spawned=5, livekit_id="AW_2")
    await store.fleet.renew(W1, beat)
    (worker,) = await store.fleet.workers()
    assert (worker.id, worker.capacity, worker.active, worker.idle) == (W1, 10, 2, 1)
    assert (worker.load, worker.host, worker.version) == (0.25, "host", "0.1.0")
    assert (worker.livekit_id, worker.is_draining) == ("AW_2", False)
    assert (worker.registered_at_ms, worker.seen_at_ms) == (START_MS, START_MS + 2_000)


async def test_a_worker_that_is_silent_is_taken_from_the_list(make_store: MakeStore) -> None:
    store = make_store(now_ms=START_MS)
    for worker_id in (W1, W2):
        await store.fleet.register(registration(worker_id))
    await pass_time(store, 5_000)
    await store.fleet.renew(W2, IDLE)
    await pass_time(store, 3_000)
    assert [worker.id for worker in await store.fleet.workers()] == [W2]
    assert await store.fleet.expire() == [W1]
    assert await store.fleet.expire() == []
    with pytest.raises(WorkerNotFound):
        await store.fleet.renew(W1, IDLE)
    assert await store.fleet.register(registration())
    await store.fleet.renew(W1, IDLE)


async def test_no_worker_is_judged_while_redis_was_away(make_store: MakeStore) -> None:
    """1. A worker is well. 2. Redis is away for a minute: nobody can write.

    Result: the worker is still listed, and is given a lease's time to say so.
    """
    store = make_store(now_ms=START_MS)
    await store.fleet.register(registration())
    store.now_ms = START_MS + 60_000
    assert await store.fleet.expire() == []
    await store.fleet.renew(W1, IDLE)
    await pass_time(store, 5_000)
    assert await store.fleet.expire() == []


async def test_a_worker_that_stops_in_order_leaves(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    await store.fleet.register(registration())
    await store.fleet.leave(W1)
    assert await store.fleet.workers() == []
    assert 0 < await redis.ttl(Keys(settings.redis_prefix).worker(W1)) <= settings.history_ttl_s


async def test_the_order_to_drain_comes_with_the_heartbeat(store: SessionStore) -> None:
    await store.fleet.register(registration())
    assert not (await store.fleet.renew(W1, IDLE)).is_draining
    assert await store.fleet.drain(W1)
    assert not await store.fleet.drain(W1)
    assert (await store.fleet.renew(W1, IDLE)).is_draining
    (worker,) = await store.fleet.workers()
    assert worker.is_draining
    assert await store.fleet.drain(W1, is_draining=False)
    assert not (await store.fleet.renew(W1, IDLE)).is_draining
    with pytest.raises(WorkerNotFound):
        await store.fleet.drain(W2)


async def test_a_worker_that_drains_by_itself_says_so(store: SessionStore) -> None:
    await store.fleet.register(registration())
    beat = Beat(active=1, idle=0, load=0, spawned=1, is_draining=True)
    assert (await store.fleet.renew(W1, beat)).is_draining


async def test_the_pool_is_shared_among_the_workers(store: SessionStore) -> None:
    for worker_id in (W1, W2):
        await store.fleet.register(registration(worker_id))
    assert (await store.fleet.renew(W1, IDLE)).pool_size is None
    await store.fleet.set_pool_target(5)
    sizes = [(await store.fleet.renew(worker_id, IDLE)).pool_size for worker_id in (W1, W2)]
    assert sizes == [3, 2]
    for wrong in (-1, 10_001):
        with pytest.raises(InvalidInput):
            await store.fleet.set_pool_target(wrong)
    for _ in range(2):  # a second time is fine, too
        await store.fleet.set_pool_target(None)
    assert (await store.fleet.renew(W1, IDLE)).pool_size is None
    assert (await store.fleet.pool()).target is None


@pytest.mark.parametrize(("target", "workers"), [(0, 1), (1, 3), (7, 3), (9, 3), (2, 5)])
def test_all_shares_add_up(target: int, workers: int) -> None:
    shares = [share(target, rank, workers) for rank in range(workers)]
    assert sum(shares) == target
    assert max(shares) - min(shares) <= 1


async def test_the_counters_of_the_pool_only_grow(store: SessionStore) -> None:
    await store.fleet.register(registration())
    for spawned in (3, 5, 5):
        await store.fleet.renew(W1, Beat(active=0, idle=1, load=0, spawned=spawned))
    for job_id, prewarmed in (("AJ_1", True), ("AJ_2", True), ("AJ_3", False)):
        session = newcomer()
        await store.admit(session)
        await store.claim(session.id, 1, agent(job_id, prewarmed=prewarmed))
    pool = await store.fleet.pool()
    assert (pool.target, pool.total_spawned, pool.total_assigned, pool.total_cold) == (
        None,
        5,
        2,
        1,
    )


@pytest.mark.parametrize("worker_id", ["", "a b", "a}:slots", "*", "x" * 65, "ä", "a\n"])
async def test_what_is_no_worker_id_reaches_no_key(store: SessionStore, worker_id: str) -> None:
    with pytest.raises(InvalidInput):
        await store.fleet.renew(WorkerId(worker_id), IDLE)


async def test_a_worker_that_was_forgotten_is_not_counted_twice(store: SessionStore) -> None:
    """1. It tells of 5 processes. 2. Its lease is lost. 3. It is there again, and tells of 6.

    Result: 6 were started, not 11.
    """
    worker = Registration(id=WorkerId("w1"), capacity=1, host="h", version="0")
    await store.fleet.register(worker)
    await store.fleet.renew(worker.id, Beat(active=0, idle=1, load=0, spawned=5))
    await store.fleet.leave(worker.id)
    await store.fleet.register(replace(worker, spawned=5))
    await store.fleet.renew(worker.id, Beat(active=0, idle=1, load=0, spawned=6))
    assert (await store.fleet.pool()).total_spawned == 6
