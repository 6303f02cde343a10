"""Agents that are lost in the middle of a call: another one goes on with it, and only one speaks.

As token servers run it: an agent is sent as soon as one is due, lapsed leases are looked for.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from devstack.talk.caller import Caller
from rooms.client import agent_identity, open_rooms
from sessions.connection import Temper, connect
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.settings import SupervisorSettings
from supervisor.supervisor import Supervisor
from telemetry.meter import Meter
from telemetry.metrics import SUPERVISOR
from tests.integration.supervisor.conftest import running_loops
from tests.integration.worker.fleet import CALL_S, READY_S, Call, Fleet, WorkerProcess
from tests.integration.worker.talking import until_said
from tests.integration.worker.test_drain import start_another, worker_id
from tests.support.provider import Provider
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]

BACK = "Sorry, I'm back."


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
async def worker(fleet: Fleet, provider: Provider) -> WorkerProcess:
    return await fleet.start_worker(OPENAI_BASE_URL=provider.url, POOL_SIZE="2")


@asynccontextmanager
async def supervised(fleet: Fleet) -> AsyncIterator[None]:
    """Keep sessions true to the world, as the token server that leads."""
    feed = ChangeFeed(fleet.store)
    known = {**fleet.store.settings.model_dump(), **fleet.room_settings().model_dump()}
    settings = SupervisorSettings.model_validate(known)
    meter = Meter(SUPERVISOR)
    async with open_rooms(settings) as rooms:
        supervisor = Supervisor(settings, fleet.store, rooms, feed, meter)
        async with running_loops(feed.run(), supervisor.run()):
            yield


async def replaced(call: Call, before: Session) -> Session:
    """Wait until another agent has the session, and is the only one in the room."""

    async def has_another() -> Session | None:
        session = await call.look()
        is_another = session.epoch > before.epoch and session.job_id is not None
        return session if is_another and session.status is State.ACTIVE else None

    after = await eventually(has_another, CALL_S, message="another agent")
    assert after is not None

    async def is_alone() -> bool:
        return await call.agents() == [agent_identity(str(after.job_id))]

    await eventually(is_alone, CALL_S, message="one agent in the room")
    return after


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_another_agent_goes_on(
    fleet: Fleet, provider: Provider, number: signal.Signals
) -> None:
    """1. A user talks with an agent. 2. Its process is killed, or stopped. 3. One that was stopped
    goes on.

    Result: another agent says that it is back, is told what was said before, and answers; the first
    does not come back.
    """
    provider.reply = "It is four."
    async with supervised(fleet):
        call = await fleet.start_call()
        async with call.join() as caller:
            await caller.wait_greeting(CALL_S)
            await caller.type("What is two plus two?")
            await until_said(caller, "It is four.")
            before = await call.until(State.ACTIVE)
            assert before.agent_pid is not None
            os.kill(before.agent_pid, number)

            after = await replaced(call, before)
            await until_said(caller, BACK)
            if number is signal.SIGSTOP:
                # Its worker kills one that stands still with the calls of several users.
                with suppress(ProcessLookupError):
                    os.kill(before.agent_pid, signal.SIGCONT)
            provider.reply = lambda messages: (
                "I know." if "two plus two" in str(messages) else "I know nothing."
            )
            await caller.type("What did I ask?")
            await until_said(caller, "I know.")
            assert (await call.look()).epoch == after.epoch
            assert await call.agents() == [agent_identity(str(after.job_id))]
            assert len(after.losses_ms) == 1
    await call.until(State.ENDED)


async def test_the_calls_of_a_worker_that_died_go_on_with_another(
    fleet: Fleet, provider: Provider
) -> None:
    """1. Two workers; each has a call. 2. One of them is killed, and its agents with it.

    Result: its call goes on with the other worker; the other call never noticed.
    """
    url = provider.url
    first = await fleet.start_worker(OPENAI_BASE_URL=url, POOL_SIZE="2")
    second = await start_another(fleet, first, OPENAI_BASE_URL=url, POOL_SIZE="2")
    workers = [first, second]
    by_id = {await worker_id(one): one for one in workers}
    async with supervised(fleet), AsyncExitStack() as stack:
        calls: dict[str, tuple[Call, Caller]] = {}
        while len(calls) < len(workers):
            call = await fleet.start_call()
            caller = await stack.enter_async_context(call.join())
            await caller.wait_greeting(CALL_S)
            calls[(await call.until(State.ACTIVE)).worker_id or ""] = (call, caller)
        dead, alive = calls
        before, untouched = await calls[dead][0].look(), await calls[alive][0].look()
        by_id[dead].process.kill()
        after = await replaced(calls[dead][0], before)
        assert after.worker_id == alive
        await until_said(calls[dead][1], BACK)
        now = await calls[alive][0].look()
        assert (now.epoch, now.job_id) == (untouched.epoch, untouched.job_id)


async def test_who_comes_before_the_first_worker_is_served_when_there_is_one(
    fleet: Fleet, provider: Provider
) -> None:
    """1. A session starts; LiveKit drops the job. 2. Its user joins, and waits. 3. A worker starts.

    Result: the user is greeted, by the first agent that could be sent; none counts as lost.
    """
    # However long the worker takes to start here.
    patient = fleet.store.settings.model_copy(update={"start_lease_s": READY_S})
    redis = connect(patient, Temper.PATIENT)
    fleet.cleanup.push_async_callback(redis.aclose)
    fleet.store = SessionStore(redis, patient)
    fleet.agent_name = name = f"agent-{secrets.token_hex(4)}"
    async with supervised(fleet):
        call = await fleet.start_call()
        async with call.join() as caller:
            await fleet.start_worker(AGENT_NAME=name, OPENAI_BASE_URL=provider.url)
            await caller.wait_greeting(CALL_S)
            session = await call.until(State.ACTIVE)
            assert session.epoch > 1
            assert session.losses_ms == ()
    await call.until(State.ENDED)
