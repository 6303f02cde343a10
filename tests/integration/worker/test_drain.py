"""A worker that stops: its calls end by themselves, or go on with another worker.

No other worker is there but those that a test starts: where one is, calls are handed over to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devstack.talk.caller import Caller
from rooms.client import open_rooms
from sessions.fleet import Registration
from sessions.ids import WorkerId
from sessions.states import State
from supervisor.changes import ChangeFeed
from tests.integration.supervisor.conftest import dispatching, running_loops
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.gate import gate_before
from tests.support.provider import Provider
from tests.support.servers import RedisServer
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
def isolation() -> str:
    """What a call shares its process with."""
    return "process"


#: For what the worker does by other means where calls share a process.
in_both = pytest.mark.parametrize("isolation", ["process", "shared"])


@pytest.fixture
def light(fleet: Fleet, provider: Provider, isolation: str) -> Fleet:
    """A fleet whose workers ask the provider of the test."""
    fleet.environment |= {"OPENAI_BASE_URL": provider.url, "ISOLATION": isolation}
    return fleet


@asynccontextmanager
async def sending_agents(fleet: Fleet) -> AsyncIterator[None]:
    """Send agents to sessions that need one, as the token server that leads does."""
    feed = ChangeFeed(fleet.store)
    async with (
        open_rooms(fleet.room_settings()) as rooms,
        running_loops(feed.run(), dispatching(fleet.store, rooms, feed)),
    ):
        yield


async def start_another(fleet: Fleet, first: WorkerProcess, **changes: str) -> WorkerProcess:
    """Start another worker that calls may go to."""
    changes |= {"AGENT_NAME": first.agent_name}
    other = await fleet.start_worker(until_ready=True, **changes)
    other.agent_name = fleet.agent_name = first.agent_name
    return other


async def worker_id(worker: WorkerProcess) -> str:
    return str((await worker.ask("/worker")).json()["id"])


async def said(caller: Caller, text: str) -> None:
    """Wait until an agent has said something."""

    async def is_said() -> bool:
        return any(text in line.text for line in caller.lines if line.speaker == "agent")

    await eventually(is_said, CALL_S, message=text)


@in_both
async def test_draining_lets_calls_end(light: Fleet, provider: Provider) -> None:
    """1. SIGTERM during a call. 2. Another call comes. 3. The user of the first leaves.

    Result: the second is not taken; the first ends as if nothing had been; exit status 0.
    """
    provider.reply = "Four."
    worker = await light.start_worker()
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        worker.process.terminate()
        await eventually(lambda: _is_draining(worker), CALL_S)
        late = await light.start_call()
        await caller.type("What is two plus two?")
        await said(caller, "Four.")
        assert (await late.look()).status is State.STARTING
    assert (await call.until(State.ENDED, State.FAILED)).status is State.ENDED
    assert await worker.exit_status() == 0


@in_both
async def test_without_another_worker_a_call_goes_on_to_the_last_moment(light: Fleet) -> None:
    """Result: then the session fails, with words for the user, and its room is closed."""
    worker = await light.start_worker(DRAIN_TIMEOUT_S="4")
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        began_at = time.monotonic()
        worker.process.terminate()
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
        assert time.monotonic() - began_at >= 4
    assert (await call.until(State.FAILED)).error == "The agent was stopped."
    assert await worker.exit_status() == 0


async def test_a_worker_that_livekit_does_not_know_has_no_places(light: Fleet) -> None:
    """1. A user talks. 2. A worker is in the list that has never registered with LiveKit, as one
    with a wrong key. 3. SIGTERM.

    Result: nothing is handed over; the call goes on to the last moment.
    """
    worker = await light.start_worker(DRAIN_TIMEOUT_S="4", HANDOVER_BEFORE_S="4")
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        # Its lease lasts longer than the time in which calls are told.
        await light.store.fleet.register(
            Registration(id=WorkerId("wrong-key"), capacity=50, host="next-door", version="0")
        )
        worker.process.terminate()
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
    session = await call.until(State.FAILED)
    assert (session.epoch, session.error) == (1, "The agent was stopped.")
    assert await worker.exit_status() == 0


async def test_a_call_that_is_left_goes_on_with_another_worker(
    light: Fleet, provider: Provider
) -> None:
    """1. Somebody talks. 2. A second worker starts. 3. SIGTERM to the first, which has 1 s.

    Result: the user stays in the room and talks with an agent of the second, under epoch 2, and
    nothing has failed; the first agent leaves, and its worker stops with status 0.
    """
    first = await light.start_worker(DRAIN_TIMEOUT_S="60", HANDOVER_BEFORE_S="60")
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        (old_agent,) = await call.agents()
        second = await start_another(light, first)
        async with sending_agents(light):
            first.process.terminate()
            assert await first.exit_status() == 0
            session = await call.until(State.ACTIVE)
            assert (session.epoch, session.losses_ms, session.error) == (2, (), None)
            assert session.worker_id == await worker_id(second)
            provider.reply = "This is the second."
            await caller.type("Who are you?")
            await said(caller, "This is the second.")
        agents = await call.agents()
        assert len(agents) == 1
        assert old_agent not in agents
        assert caller.log.ended_because is None
    assert (await call.until(State.ENDED, State.FAILED)).status is State.ENDED
    output = first.log.read_text()
    assert '"reason": "handed over"' in output
    assert "calls cut off" not in output
    assert '"level": "ERROR"' not in output


async def test_never_do_two_agents_answer(light: Fleet, provider: Provider) -> None:
    """1. A call is given back, and no agent is sent yet. 2. The user types. 3. One is sent.

    Result: the old agent, still in the room, says nothing; the session waits for the next one.
    """
    first = await light.start_worker(DRAIN_TIMEOUT_S="60", HANDOVER_BEFORE_S="60")
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await start_another(light, first)
        first.process.terminate()
        await call.until(State.RECOVERING)
        assert len(await call.agents()) == 1
        asked = len(provider.asked)
        await caller.type("Is anybody there?")
        async with sending_agents(light):
            await call.until(State.ACTIVE)
        assert await first.exit_status() == 0
        assert len(provider.asked) == asked
        assert len(await call.agents()) == 1


async def test_a_call_that_nobody_takes_over_is_left_to_the_supervisor(light: Fleet) -> None:
    """1. A call is given back: there is another worker. 2. No agent is sent, and time is up.

    Result: the first worker stops in order. The user is still in the room, and the session still
    to be had.
    """
    first = await light.start_worker(DRAIN_TIMEOUT_S="8", HANDOVER_BEFORE_S="8")
    call = await light.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await start_another(light, first)
        first.process.terminate()
        assert await first.exit_status() == 0
        session = await call.look()
        assert (session.status, session.epoch) == (State.RECOVERING, 2)
        assert caller.log.ended_because is None
        assert await call.has_room()


@in_both
async def test_one_place_elsewhere_takes_one_call(light: Fleet) -> None:
    """1. Two talk, or more, until two share a process where calls do. 2. A second worker with one
    place starts. 3. SIGTERM to the first.

    Result: one call goes over; the others go on where they are, to the last moment.
    """
    first = await light.start_worker(DRAIN_TIMEOUT_S="12", HANDOVER_BEFORE_S="12", POOL_SIZE="2")
    number = 3 if light.environment["ISOLATION"] == "shared" else 2
    calls = [await light.start_call() for _ in range(number)]
    async with calls[0].join() as one, calls[1].join() as other:
        await asyncio.gather(one.wait_greeting(CALL_S), other.wait_greeting(CALL_S))
        await start_another(light, first, WORKER_CAPACITY="1")
        async with sending_agents(light):
            first.process.terminate()
            assert await first.exit_status() == 0
        seen = [await call.look() for call in calls]
        moved = [session for session in seen if session.epoch == 2]
        stayed = [session for session in seen if session.epoch == 1]
        assert (len(moved), len(stayed)) == (1, number - 1)
        # Nobody has joined the third one.
        is_joined = moved[0].id in {calls[0].session_id, calls[1].session_id}
        assert moved[0].status is (State.ACTIVE if is_joined else State.READY)
        assert {one.status for one in stayed} <= {State.ENDING, State.FAILED}


async def test_while_redis_is_away_nothing_is_handed_over(
    light: Fleet, redis_server: RedisServer, provider: Provider
) -> None:
    """Result: the call goes on to the last moment, and its user is answered until then."""
    provider.reply = "Still here."
    async with gate_before(redis_server.port) as gate:
        url = redis_server.url.replace(str(redis_server.port), str(gate.port))
        first = await light.start_worker(
            DRAIN_TIMEOUT_S="10", HANDOVER_BEFORE_S="10", REDIS_URL=url
        )
        call = await light.start_call()
        async with call.join() as caller:
            await caller.wait_greeting(CALL_S)
            await start_another(light, first)
            await gate.shut()
            first.process.terminate()
            await eventually(lambda: first.has_logged("nobody to hand over to"), CALL_S)
            await caller.type("Are you there?")
            await said(caller, "Still here.")
            assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
        await gate.open()
    assert await first.exit_status() == 0


async def _is_draining(worker: WorkerProcess) -> bool:
    ready = (await worker.ask("/readyz")).json()
    return "draining" in ready["reasons"]
