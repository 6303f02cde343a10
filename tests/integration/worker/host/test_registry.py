"""The worker in the fleet's list: it is there, it leaves, and it does as it is told."""

from __future__ import annotations

import asyncio
import signal

import pytest

from sessions.fleet import Worker as Listed
from sessions.ids import WorkerId
from sessions.pool import Tuning, Why
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.fleet import CALL_S, READY_S, Fleet, WorkerProcess
from tests.support.gate import gate_before
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("empty_store")]

ID = WorkerId("registry-test")


async def listed(store: SessionStore) -> Listed | None:
    """Return the worker of this test as the fleet lists it."""
    return next((one for one in await store.fleet.workers() if one.id == ID), None)


@pytest.fixture
def isolation() -> str:
    return "shared"


@pytest.fixture
async def named(fleet: Fleet, store: SessionStore, isolation: str) -> WorkerProcess:
    """A worker with a name and a quick heartbeat, which is in the list."""
    fleet.environment["ISOLATION"] = isolation
    worker = await fleet.start_worker(WORKER_ID=ID, WORKER_HEARTBEAT_S="0.2", WORKER_CAPACITY="7")

    async def is_warm() -> bool:
        found = await listed(store)
        return found is not None and found.idle >= 1

    await eventually(is_warm, READY_S)
    return worker


async def warm(worker: WorkerProcess) -> int:
    """Return how many warm processes it says it has."""
    return int((await worker.ask("/worker")).json()["idle"])


async def reasons(worker: WorkerProcess) -> list[str]:
    """Return why it is not ready."""
    found: list[str] = (await worker.ask("/readyz")).json()["reasons"]
    return found


async def test_it_is_listed_with_what_it_can_take_until_it_stops(
    fleet: Fleet, store: SessionStore, named: WorkerProcess
) -> None:
    found = await listed(store)
    assert found is not None
    assert (found.capacity, found.active, found.load, found.is_draining) == (7, 0, 0.0, False)

    async def has_livekit_id() -> bool:
        ours, described = await listed(store), (await named.ask("/worker")).json()
        return ours is not None and ours.livekit_id == described["livekitWorkerId"] != ""

    await eventually(has_livekit_id, CALL_S)
    call = await fleet.start_call()
    async with call.join():

        async def counts_the_call() -> bool:
            ours = await listed(store)
            return ours is not None and ours.active == 1 and ours.load > 0

        await eventually(counts_the_call, CALL_S)
        # A worker counts a call from the moment that it has given it a process.
        assert (await call.until(State.READY, State.ACTIVE)).worker_id == ID
    await call.until(State.ENDED)
    named.process.send_signal(signal.SIGTERM)
    assert await named.exit_status() == 0
    assert await listed(store) is None


@pytest.mark.parametrize("isolation", ["process", "shared"])
async def test_the_pool_grows_and_shrinks_while_it_runs(
    fleet: Fleet, store: SessionStore, named: WorkerProcess, isolation: str
) -> None:
    """POOL_SIZE is 1. A target of 3, then of 0 during a call, which goes on; then there is none."""
    await store.fleet.set_pool_target(3)

    async def has(count: int) -> bool:
        return await warm(named) == count

    await eventually(lambda: has(3), READY_S)
    call = await fleet.start_call()
    async with call.join():
        await call.until(State.ACTIVE)
        await eventually(lambda: has(3), READY_S)
        before = len(named.descendants())
        await store.fleet.set_pool_target(0)
        await eventually(lambda: has(0), CALL_S)

        async def are_gone() -> bool:
            # Seats that are closed leave their process where it is.
            return isolation == "shared" or len(named.descendants()) <= before - 3

        await eventually(are_gone, CALL_S)
        assert (await call.look()).status is State.ACTIVE
        stats = await store.fleet.pool()
        # Those of the call and the three after it, at least.
        assert stats.total_spawned >= 4
        await store.fleet.set_pool_target(None)
        await eventually(lambda: has(1), READY_S)
    await call.until(State.ENDED)


def asked_for(size: int) -> Tuning:
    """Return what a supervisor notes when the traffic asks for so many."""
    return Tuning(
        size=size,
        why=Why.TRAFFIC,
        starts=9,
        hit_share=1.0,
        peak=size,
        refill_ms=1000,
        at_ms=1,
    )


async def test_the_pool_follows_the_traffic_unless_an_admin_says_otherwise(
    store: SessionStore, named: WorkerProcess
) -> None:
    """POOL_SIZE is 1. Traffic asks for 4; an admin for 2, then for none; then traffic for 0."""

    async def has(count: int) -> bool:
        return await warm(named) == count

    await store.fleet.tune_pool(asked_for(4), ttl_s=600)
    await eventually(lambda: has(4), READY_S)
    await store.fleet.set_pool_target(2)
    await eventually(lambda: has(2), READY_S)
    await store.fleet.set_pool_target(None)
    await eventually(lambda: has(4), READY_S)
    await store.fleet.tune_pool(asked_for(0), ttl_s=600)
    await eventually(lambda: has(1), READY_S)


async def test_what_traffic_asks_for_ends_at_the_places_there_are(
    store: SessionStore, named: WorkerProcess
) -> None:
    """It has 7."""
    await store.fleet.tune_pool(asked_for(50), ttl_s=600)

    async def has_seven() -> bool:
        return await warm(named) == 7

    await eventually(has_seven, READY_S)
    # It would go on to grow.
    await asyncio.sleep(1)
    assert await warm(named) == 7


async def test_while_it_takes_no_calls_it_keeps_none_warm(
    store: SessionStore, named: WorkerProcess
) -> None:
    async def has(count: int) -> bool:
        return await warm(named) == count

    await store.fleet.drain(ID)
    await eventually(lambda: has(0), READY_S)
    await store.fleet.drain(ID, is_draining=False)
    await eventually(lambda: has(1), READY_S)


@pytest.mark.usefixtures("named")
async def test_it_tells_how_long_a_process_takes_to_be_replaced(
    fleet: Fleet, store: SessionStore
) -> None:
    """Not before one was taken: what is started first replaces none."""
    # The store is emptied after the worker has entered the list; it does so again.
    before = await eventually(lambda: listed(store))
    assert before is not None
    assert before.refill_ms is None
    call = await fleet.start_call()
    async with call.join():
        await call.until(State.ACTIVE)

        async def is_told() -> bool:
            found = await listed(store)
            return found is not None and (found.refill_ms or 0) > 0

        await eventually(is_told, READY_S)
    await call.until(State.ENDED)


async def test_the_target_outlives_a_restart_and_ends_at_the_places_there_are(
    fleet: Fleet, store: SessionStore
) -> None:
    await store.fleet.set_pool_target(50)
    worker = await fleet.start_worker(WORKER_ID=ID, WORKER_HEARTBEAT_S="0.2", WORKER_CAPACITY="2")

    async def has_two() -> bool:
        return await warm(worker) == 2

    await eventually(has_two, READY_S)
    # It would go on to grow.
    await asyncio.sleep(1)
    assert await warm(worker) == 2


async def test_it_takes_no_calls_while_it_is_ordered_to(
    fleet: Fleet, store: SessionStore, named: WorkerProcess
) -> None:
    await store.fleet.drain(ID)

    async def is_draining() -> bool:
        return await reasons(named) == ["draining"]

    await eventually(is_draining, CALL_S)
    call = await fleet.start_call()
    await eventually(lambda: named.has_logged('"answer": "decline"'), CALL_S)
    assert (await call.look()).status is State.STARTING
    await store.fleet.drain(ID, is_draining=False)
    await eventually(lambda: named.answers("/readyz", 200), CALL_S)
    other = await fleet.start_call()
    async with other.join():
        await other.until(State.ACTIVE)


async def test_a_list_that_forgot_it_gets_it_again_with_its_orders(
    store: SessionStore, named: WorkerProcess
) -> None:
    await store.fleet.drain(ID)

    async def is_draining() -> bool:
        return await reasons(named) == ["draining"]

    await eventually(is_draining, CALL_S)
    await store.fleet.leave(ID)

    async def is_back_and_draining() -> bool:
        found = await listed(store)
        return found is not None and found.is_draining

    await eventually(is_back_and_draining, CALL_S)
    assert await reasons(named) == ["draining"]


async def test_without_redis_it_is_ready_nevertheless(fleet: Fleet) -> None:
    """It leaves in good order, too, and says once what it misses."""
    worker = await fleet.start_worker(
        REDIS_URL="redis://127.0.0.1:1/0", WORKER_HEARTBEAT_S="0.2", WORKER_ID=ID
    )
    await eventually(lambda: worker.has_logged("not in the fleet's list"), CALL_S)
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.exit_status() == 0
    log = worker.log.read_text()
    assert log.count("not in the fleet's list") == 1
    assert "Traceback" not in log


@pytest.mark.usefixtures("empty_store", "named")
async def test_the_agent_tells_how_it_is(fleet: Fleet) -> None:
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)

        async def tells() -> bool:
            session = await call.look()
            # A process of ours shares most of its memory; less than this it cannot have by itself.
            return session.agent_state == "listening" and (session.pss_bytes or 0) > 5_000_000

        await eventually(tells, CALL_S)


async def test_a_new_id_from_livekit_confuses_nothing(
    fleet: Fleet, store: SessionStore, livekit_server: LiveKitServer
) -> None:
    """1. A call goes on. 2. The worker is cut off from LiveKit, and so are the call's agent and its
    user, for a moment. 3. LiveKit gives the worker another id.

    Result: the same worker is in the list, once, under its own name and with the new id; the call
    goes on with the same agent; another call is taken.
    """
    async with gate_before(livekit_server.port) as gate:
        url = f"ws://127.0.0.1:{gate.port}"
        worker = await fleet.start_worker(
            WORKER_ID=ID, WORKER_HEARTBEAT_S="0.2", WORKER_CAPACITY="7", LIVEKIT_URL=url
        )

        async def livekit_id() -> str | None:
            found = [one.livekit_id for one in await store.fleet.workers()]
            assert len(found) == 1
            described = (await worker.ask("/worker")).json()["livekitWorkerId"]
            return (
                described if found == [described] and await worker.answers("/readyz", 200) else None
            )

        before = await eventually(livekit_id, READY_S)
        call = await fleet.start_call()
        async with call.join():
            session = await call.until(State.ACTIVE)
            await gate.shut()

            async def is_unready() -> bool:
                return "not registered with LiveKit" in await reasons(worker)

            await eventually(is_unready, CALL_S)
            await gate.open()

            async def has_another() -> bool:
                return await livekit_id() not in {None, before}

            await eventually(has_another, READY_S)
            described = (await worker.ask("/worker")).json()
            assert (described["id"], described["active"]) == (ID, 1)
            other = await fleet.start_call()
            async with other.join():
                found = await other.until(State.ACTIVE)
                assert found.worker_id == session.worker_id == ID
            after = await call.look()
            assert (after.status, after.epoch) == (State.ACTIVE, 1)
            assert (after.agent_pid, after.job_id) == (session.agent_pid, session.job_id)
        await call.until(State.ENDED)
