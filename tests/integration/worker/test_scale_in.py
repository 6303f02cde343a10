"""Workers that are too many: real ones, with real calls, and the loop of a supervisor.

No other worker is there but those that a test starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sessions.ids import WorkerId
from sessions.states import State
from sessions.store import SessionStore
from supervisor.loop import run_every
from supervisor.scale_in import ScaleIn
from supervisor.scale_settings import ScaleSettings
from tests.integration.supervisor.conftest import running_loops
from tests.integration.worker.fleet import CALL_S, READY_S, Call, Fleet, WorkerProcess
from tests.support.provider import Provider
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]

#: One call each: who has none is not wanted, unless another call comes.
_RETIRES = "not wanted any more, and without calls"
SMALL = {"WORKER_CAPACITY": "1", "WORKER_HEARTBEAT_S": "0.2"}


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
def light(fleet: Fleet, provider: Provider) -> Fleet:
    """A fleet whose workers ask the provider of the test."""
    fleet.environment |= {"OPENAI_BASE_URL": provider.url, "ISOLATION": "process"}
    return fleet


@asynccontextmanager
async def scaling(store: SessionStore) -> AsyncIterator[None]:
    """Scale as a supervisor that leads, at once and without a reserve."""
    settings = ScaleSettings(
        scale_in=True, scale_in_after_s=0, scale_reserve=0, scale_in_pause_s=0, scale_min_workers=0
    )
    async with running_loops(run_every(0.1, "scale in", ScaleIn(store, settings).scale_once)):
        yield


async def start_named(fleet: Fleet, *names: str, **changes: str) -> dict[str, WorkerProcess]:
    """Start workers with these ids, to any of which calls may go; all are known to LiveKit."""
    agent_name = f"agents-of-{names[0]}"
    changes |= SMALL | {"AGENT_NAME": agent_name}
    started = await asyncio.gather(
        *(fleet.start_worker(until_ready=True, WORKER_ID=name, **changes) for name in names)
    )
    fleet.agent_name = agent_name

    async def are_known() -> bool:
        found = await fleet.store.fleet.workers()
        return len(found) == len(names) and all(one.takes_since_ms for one in found)

    await eventually(are_known, READY_S)
    return dict(zip(names, started, strict=True))


async def is_ready(worker: WorkerProcess, status: int) -> None:
    """Wait until a worker says that calls may be sent to it, or not."""
    await eventually(lambda: worker.answers("/readyz", status), CALL_S)


async def has_no_call(store: SessionStore, name: str) -> bool:
    """Say whether a worker has told that it has no call: the agent leaves after its session."""
    return [one.active for one in await store.fleet.workers() if one.id == name] == [0]


async def until_it_beats(store: SessionStore) -> None:
    """Wait for a heartbeat of the only worker, whose answer it has, and another one."""
    (was,) = await store.fleet.workers()
    seen = {was.seen_at_ms}

    async def has_beaten() -> bool:
        seen.update(one.seen_at_ms for one in await store.fleet.workers())
        return len(seen) > 2

    await eventually(has_beaten, CALL_S)


async def worker_of(call: Call) -> str:
    session = await call.until(State.READY, State.ACTIVE)
    assert session.worker_id is not None
    return session.worker_id


async def test_the_empty_worker_is_drained_and_comes_back_for_the_next_call(
    light: Fleet, store: SessionStore
) -> None:
    """1. Three workers have a call each. 2. One user leaves. 3. Another one comes.

    Result: the worker without a call takes none, and says so; the two calls are not touched. Then
    it takes the new one.
    """
    workers = await start_named(light, "first", "second", "third")
    calls = [await light.start_call() for _ in range(3)]
    async with calls[0].join() as one, calls[1].join() as other:
        await asyncio.gather(one.wait_greeting(CALL_S), other.wait_greeting(CALL_S))
        names = [await worker_of(call) for call in calls]
        assert len(set(names)) == len(workers)
        await store.end(calls[2].session_id)
        await eventually(lambda: has_no_call(store, names[2]), CALL_S)
        empty = workers[names[2]]
        async with scaling(store):
            await is_ready(empty, 503)
            assert (await empty.ask("/readyz")).json()["reasons"] == ["draining"]
            drained = [one.id for one in await store.fleet.workers() if one.is_draining]
            assert drained == [names[2]]
            late = light.new_call()
            await light.admit(late)
            await is_ready(empty, 200)
            await light.send_agent(late, late.assignment().to_metadata())
            assert await worker_of(late) == names[2]
        found = [await call.look() for call in calls[:2]]
        assert [(one.status, one.epoch, one.losses_ms) for one in found] == [
            (State.ACTIVE, 1, ())
        ] * 2
        assert (one.log.ended_because, other.log.ended_because) == (None, None)


async def test_a_worker_that_is_not_wanted_ends_when_its_call_is_over(
    light: Fleet, store: SessionStore
) -> None:
    """1. Drained by an operator and empty, it stays. 2. Drained by scale-in, with a call, it stays.

    Result: when the call is over, it ends as if nothing had been, with status 0.
    """
    worker = (await start_named(light, "leaving", SCALE_IN_EXIT="true"))["leaving"]
    await store.fleet.drain(WorkerId("leaving"))
    await eventually(lambda: worker.has_logged("ordered to drain"), CALL_S)
    await until_it_beats(store)
    await store.fleet.drain(WorkerId("leaving"), is_draining=False)
    await is_ready(worker, 200)
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        assert await store.fleet.drain_surplus(WorkerId("leaving"))
        await is_ready(worker, 503)
        await until_it_beats(store)
        assert (await call.look()).status is State.ACTIVE
        assert not await worker.has_logged(_RETIRES)
    assert (await call.until(State.ENDED, State.FAILED)).status is State.ENDED
    assert await worker.exit_status() == 0
    assert await worker.has_logged(_RETIRES)
    assert await store.fleet.workers() == []


async def test_who_is_forgotten_enters_the_list_again_as_not_wanted(
    light: Fleet, store: SessionStore
) -> None:
    """Not as drained by an operator: nobody would bring it back."""
    worker = (await start_named(light, "forgotten"))["forgotten"]
    assert await store.fleet.drain_surplus(WorkerId("forgotten"))
    await is_ready(worker, 503)
    await store.fleet.leave(WorkerId("forgotten"))

    async def is_back() -> bool:
        return [one.surplus_since_ms is None for one in await store.fleet.workers()] == [False]

    await eventually(is_back, CALL_S)
    assert await store.fleet.restore_surplus(WorkerId("forgotten"))
    await is_ready(worker, 200)
