"""Calls: a real worker, LiveKit, Redis and speech models."""

from __future__ import annotations

import pytest
from livekit import api
from redis.asyncio import Redis

from sessions.ids import UserId, new_identity, new_session_id
from sessions.keys import Keys
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.fleet import CALL_S, Call, Fleet, Worker
from tests.integration.worker.talking import until_said
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


async def test_the_life_of_a_session(fleet: Fleet, worker: Worker) -> None:
    """1. The agent is sent for. 2. The user comes and is greeted. 3. The user leaves.

    Result: starting, ready, active, ended; the room is closed.
    """
    await worker.until_idle()
    call = await fleet.start_call()
    ready = await call.until(State.READY)
    assert ready.prewarmed is True
    assert ready.worker_id == (await worker.ask("/worker")).json()["id"]
    assert ready.startup_ms is not None
    async with call.join() as caller:
        greeting = await caller.wait_greeting(CALL_S)
        assert (await call.until(State.ACTIVE)).joined_at_ms is not None
        assert greeting.text == "Hello! How can I help you?"
    ended = await call.until(State.ENDED)
    assert ended.error is None
    await call.until_room_is_closed()
    await eventually(lambda: _has_left(worker, call, 'exiting", "reason"'), CALL_S)
    assert not [line for line in worker.records_of(call) if '"level": "ERROR"' in line]


async def test_a_question_is_answered(fleet: Fleet, worker: Worker, localvoice_url: str) -> None:
    del worker
    question = await speak(localvoice_url, "What is two plus two?")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.say(question)
        answer = await caller.wait_answer(CALL_S)
        assert "4" in answer.text
        assert [line.speaker for line in caller.lines] == ["agent", "user", "agent"]


async def test_speaking_over_the_agent_stops_it(
    fleet: Fleet, worker: Worker, localvoice_url: str
) -> None:
    del worker
    story = await speak(localvoice_url, "Tell me a story.")
    objection = await speak(localvoice_url, "Please stop. What is two plus two?")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        asked_at = (await caller.say(story)).ended_at

        async def is_telling() -> bool:
            return any(
                line.speaker == "agent" and line.began_at > asked_at and len(line.text) > 40
                for line in caller.lines
            )

        await eventually(is_telling, CALL_S)
        await caller.say(objection)
        await until_said(caller, "4")
        said = " ".join(line.text for line in caller.lines if line.speaker == "agent")
        assert "the end of the story" not in said


async def test_typing_works_too(fleet: Fleet, worker: Worker) -> None:
    del worker
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("What is 30 plus 4?")

        async def is_answered() -> bool:
            return any("34" in line.text for line in caller.lines if line.speaker == "agent")

        await eventually(is_answered, CALL_S)


async def test_saying_goodbye_ends_the_call(
    fleet: Fleet, worker: Worker, localvoice_url: str
) -> None:
    del worker
    goodbye = await speak(localvoice_url, "Goodbye.")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.say(goodbye)
        assert "goodbye" in (await caller.wait_answer(CALL_S)).text.lower()
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
    assert (await call.until(State.ENDED)).error is None


async def test_an_agent_that_comes_too_late_leaves_without_a_word(
    fleet: Fleet, worker: Worker, redis: Redis, settings: StoreSettings
) -> None:
    """1. Another agent has been sent since: the epoch is 2. 2. The user is in the room.
    3. The agent of epoch 1 arrives.

    Result: it goes, unheard, and neither the session nor the room is touched.
    """
    call = await _call_without_agent(fleet)
    await _raise_epoch(redis, settings, call)
    await fleet.livekit.room.create_room(api.CreateRoomRequest(name=call.room, empty_timeout=60))
    async with call.join() as caller:
        late = api.CreateAgentDispatchRequest(
            agent_name=fleet.agent_name, room=call.room, metadata=_metadata(call)
        )
        await fleet.livekit.agent_dispatch.create_dispatch(late)
        await eventually(lambda: _has_left(worker, call, "stale_epoch"), CALL_S)
        await eventually(lambda: _has_left(worker, call, 'exiting", "reason"'), CALL_S)
        await call.until_agentless()
        assert caller.lines == []
        assert caller.hearing.first_loud_at is None
        assert caller.log.ended_because is None
    assert (await call.look()).status is State.STARTING
    assert await call.has_room()


async def test_an_agent_that_is_replaced_leaves(
    fleet: Fleet, worker: Worker, redis: Redis, settings: StoreSettings
) -> None:
    del worker
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await _raise_epoch(redis, settings, call)
        await call.until_agentless()
        assert (await call.look()).status is State.ACTIVE
        assert caller.log.ended_because is None


async def test_the_room_of_a_session_that_is_over_is_closed(
    fleet: Fleet, worker: Worker, store: SessionStore
) -> None:
    del worker
    call = await _call_without_agent(fleet)
    await store.end(call.session_id)
    assert (await call.look()).status is State.ENDING
    await fleet.send_agent(call, _metadata(call))
    await call.until_room_is_closed()
    await call.until(State.ENDED)


async def test_a_session_can_be_admitted_by_its_agent(fleet: Fleet, worker: Worker) -> None:
    del worker
    call = await fleet.start_call(is_admitted=False)
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        assert (await call.until(State.ACTIVE)).user_id == "ada"
    await call.until(State.ENDED)


async def test_the_room_is_closed_when_no_place_in_line_is_left(
    fleet: Fleet, store: SessionStore
) -> None:
    await fleet.start_worker(MAX_SESSIONS="1", QUEUE_LIMIT="0")
    other = new_session_id()
    await store.admit(Newcomer(id=other, user_id=UserId("bob"), identity=new_identity()))
    try:
        call = await fleet.start_call(is_admitted=False)
        await call.until_room_is_closed()
    finally:
        await store.end(other)


async def test_a_job_of_somebody_else_is_refused(fleet: Fleet, worker: Worker) -> None:
    call = await fleet.start_call(metadata="not ours")
    await eventually(lambda: worker.has_logged('"answer": "refuse"'), CALL_S)
    assert await call.agents() == []


async def test_a_user_who_does_not_come_is_not_waited_for(fleet: Fleet) -> None:
    await fleet.start_worker(NO_USER_TIMEOUT_S="1")
    call = await fleet.start_call()
    assert (await call.until(State.ENDED)).joined_at_ms is None
    await call.until_room_is_closed()


async def test_providers_that_are_down_fail_the_session(fleet: Fleet) -> None:
    """1. No model answers. 2. The user types until the agent gives up.

    Result: the session fails with words for the user.
    """
    await fleet.start_worker(OPENAI_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_TIMEOUT_S="1")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_agent(CALL_S)

        async def has_given_up() -> bool:
            if caller.log.ended_because is None:
                await caller.type("Hello?")
            return caller.log.ended_because is not None

        await eventually(has_given_up, CALL_S, interval_s=0.5)
        assert caller.log.ended_because == "ROOM_DELETED"
    failed = await call.until(State.FAILED)
    assert failed.error is not None
    assert "The agent could not" in failed.error


async def _call_without_agent(fleet: Fleet) -> Call:
    call = fleet.new_call()
    await fleet.admit(call)
    return call


async def _has_left(worker: Worker, call: Call, why: str) -> bool:
    return any(why in line for line in worker.records_of(call))


def _metadata(call: Call) -> str:
    return call.assignment().to_metadata()


async def _raise_epoch(redis: Redis, settings: StoreSettings, call: Call) -> None:
    key = Keys(settings.redis_prefix).session(call.session_id)
    await redis.hset(key, "epoch", "2")
