"""A job process dies in the middle of a call: its session gets another agent, and soon."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from rooms.client import Rooms, open_rooms
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from supervisor.dispatches import Dispatcher
from tests.integration.worker.fleet import CALL_S, Call, Fleet, Worker
from tests.support.gate import gate_before
from tests.support.servers import RedisServer
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def rooms(fleet: Fleet, worker: Worker) -> AsyncIterator[Rooms]:
    del worker
    async with open_rooms(fleet.room_settings()) as client:
        yield client


async def kill_agent(call: Call, number: signal.Signals = signal.SIGKILL) -> Session:
    """Kill the process that claimed the session; return the session as it was."""
    before = await call.look()
    assert before.agent_pid is not None
    os.kill(before.agent_pid, number)
    return before


@pytest.mark.usefixtures("worker")
async def test_the_session_waits_for_another_agent_at_once(fleet: Fleet) -> None:
    """No supervisor runs in this test: the worker alone can have noticed."""
    call = await fleet.start_call()
    async with call.join():
        await call.until(State.ACTIVE)
        await kill_agent(call)
        lost = await call.until(State.RECOVERING)
        assert (lost.epoch, lost.worker_id, lost.agent_pid) == (2, None, None)
        assert len(lost.losses_ms) == 1


async def test_another_agent_comes_into_the_room(
    fleet: Fleet, store: SessionStore, rooms: Rooms
) -> None:
    call = await fleet.start_call()
    dispatcher = Dispatcher(store, rooms)
    async with call.join():
        await call.until(State.ACTIVE)
        before = await kill_agent(call)
        await call.until(State.RECOVERING)

        assert await dispatcher.send(call.session_id)
        after = await call.until(State.ACTIVE)
        assert (after.epoch, after.worker_id) == (2, before.worker_id)
        assert after.agent_pid not in {None, before.agent_pid}
    await call.until(State.ENDED)


async def test_an_agent_that_was_replaced_before_takes_nothing_with_it(
    fleet: Fleet, worker: Worker, store: SessionStore
) -> None:
    """The one that dies is of epoch 1; the session has an agent of epoch 2 by then."""
    call = await fleet.start_call()
    before = await call.until(State.READY)
    assert before.agent_pid is not None
    # Stopped, it cannot notice and leave.
    os.kill(before.agent_pid, signal.SIGSTOP)
    await store.lose(call.session_id, "test", epoch=1, is_certain=True)
    await store.dispatch(call.session_id)
    os.kill(before.agent_pid, signal.SIGKILL)
    await eventually(lambda: worker.has_logged("nothing to write off"), CALL_S)
    after = await call.look()
    assert (after.status, after.epoch, len(after.losses_ms)) == (State.RECOVERING, 2, 1)


async def test_a_call_that_ends_by_itself_is_no_loss(fleet: Fleet) -> None:
    """Its process was its own, and ends with it."""
    worker = await fleet.start_worker(ISOLATION="process")
    call = await fleet.start_call()
    async with call.join():
        session = await call.until(State.ACTIVE)
    ended = await call.until(State.ENDED)
    assert (ended.epoch, ended.losses_ms) == (1, ())

    async def has_exited() -> bool:
        return not _is_alive(session.agent_pid)

    await eventually(has_exited, CALL_S)
    assert "the agent of a session died" not in "\n".join(worker.records_of(call))


async def test_it_is_told_once_redis_is_back(fleet: Fleet, redis_server: RedisServer) -> None:
    async with gate_before(redis_server.port) as gate:
        worker = await fleet.start_worker(REDIS_URL=f"redis://127.0.0.1:{gate.port}/0")
        call = await fleet.start_call()
        async with call.join():
            await call.until(State.ACTIVE)
            await gate.shut()
            await kill_agent(call)
            await eventually(lambda: worker.has_logged("the agent of a session died"), CALL_S)
            await asyncio.sleep(0.3)  # a few tries that fail
            assert (await call.look()).status is State.ACTIVE
            await gate.open()
            assert (await call.until(State.RECOVERING)).epoch == 2


def _is_alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
