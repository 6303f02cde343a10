"""Calls with one model that hears, thinks and speaks, behind the real plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.provider import ToolCall
from tests.support.realtime_provider import RealtimeProvider, realtime_provider
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def realtime() -> AsyncIterator[RealtimeProvider]:
    async with realtime_provider() as one:
        yield one


async def start(fleet: Fleet, realtime: RealtimeProvider) -> WorkerProcess:
    """Start a worker; greeting and apology are spoken by localvoice, as in the other tests."""
    return await fleet.start_worker(
        VOICE_MODE="realtime",
        REALTIME_BASE_URL=realtime.url,
        REALTIME_API_KEY="realtime-key",
        REALTIME_VOICE="cedar",
        PROVIDER_TIMEOUT_S="3",
    )


async def test_a_conversation_typed_and_spoken_with_a_tool(
    fleet: Fleet, realtime: RealtimeProvider, environment: dict[str, str]
) -> None:
    """1. The agent greets. 2. The user types a question that needs a tool. 3. The user speaks.
    4. The connection breaks; the user types again.

    Result: all is answered, heard and written down; the model was told who it is.
    """
    localvoice_url = environment["OPENAI_BASE_URL"].removesuffix("/v1")
    realtime.heard = "How are you?"
    realtime.reply = lambda items: (
        ToolCall(name="current_time", arguments={"zone": "UTC"})
        if "What time" in str(items[-1].get("content"))
        else f"After {items[-1]['type']}."
    )
    await start(fleet, realtime)
    sentence = await speak(localvoice_url, "How are you?")
    call = await fleet.start_call()
    async with call.join() as caller:
        greeting = await caller.wait_greeting(CALL_S)
        assert greeting.text == "Hello! How can I help you?"

        async def has_said(words: str) -> bool:
            return any(words in line.text for line in caller.lines)

        await caller.type("What time is it?")
        await eventually(lambda: has_said("After function_call_output."), CALL_S)
        await caller.wait_quiet(CALL_S)

        await caller.say(sentence)
        answer = await caller.wait_answer(CALL_S)
        assert "After message." in answer.text
        await eventually(lambda: has_said("How are you?"), CALL_S)

        await realtime.cut()
        realtime.reply = "Here again."
        await caller.type("Are you there?")
        await eventually(lambda: has_said("Here again."), CALL_S)
        assert (await call.look()).status is State.ACTIVE
    assert realtime.keys[0] == "Bearer realtime-key"
    assert realtime.models[0] == "gpt-realtime"
    assert realtime.session["audio"]["output"]["voice"] == "cedar"
    assert "voice assistant" in realtime.session["instructions"]
    assert {tool["name"] for tool in realtime.session["tools"]} == {"current_time", "end_call"}
    await call.until(State.ENDED)


async def test_a_provider_that_cannot_be_reached_fails_the_session(
    fleet: Fleet, realtime: RealtimeProvider
) -> None:
    realtime.refuses_with = 503
    await start(fleet, realtime)
    call = await fleet.start_call()
    async with call.join() as caller:
        assert await caller.wait_ended(2 * CALL_S) == "ROOM_DELETED"
    assert "speech model" in ((await call.until(State.FAILED)).error or "")


async def test_an_answer_that_fails_is_apologised_for(
    fleet: Fleet, realtime: RealtimeProvider
) -> None:
    await start(fleet, realtime)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        realtime.failure = {"type": "server_error", "code": "overloaded"}
        await caller.type("Are you there?")

        async def has_said(words: str) -> bool:
            return any(words in line.text for line in caller.lines)

        await eventually(lambda: has_said("technical problem"), CALL_S)
        await caller.wait_quiet(CALL_S)
        realtime.failure = None
        await caller.type("And now?")
        await eventually(lambda: has_said("I see."), CALL_S)
        assert (await call.look()).status is State.ACTIVE
