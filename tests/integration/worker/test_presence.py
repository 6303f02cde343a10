"""Who is in the room: the user who comes back, the user who does not, and somebody else."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from livekit import api

from devstack.talk.caller import Caller
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Call, Fleet
from tests.integration.worker.talking import chats, said_by, until_said
from tests.support.provider import Provider, Stage
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


async def answer_by_number(provider: Provider) -> None:
    """Let the model say how many turns of the user it knows."""
    provider.reply = lambda messages: (
        f"You said {sum(one['role'] == 'user' for one in messages)} things."
    )


async def test_a_user_who_comes_back_goes_on_with_the_conversation(
    fleet: Fleet, provider: Provider, localvoice_url: str
) -> None:
    """1. The user types. 2. Leaves, as a page does that is loaded anew. 3. Joins again, types and
    speaks.

    Result: the same agent hears both, knows what was said before, and does not greet again.
    """
    await answer_by_number(provider)
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_GRACE_S="60")
    question = await speak(localvoice_url, "What is two plus two?")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("My name is Ada.")
        await until_said(caller, "You said 1 things.")
    agents = await call.agents()
    assert (await call.look()).status is State.ACTIVE
    async with call.join() as caller:
        await caller.wait_agent(CALL_S)
        await caller.type("Who am I?")
        await until_said(caller, "You said 2 things.")
        assert "My name is Ada." in said_by(chats(provider)[-1], "user")
        provider.heard = "What is two plus two?"
        await caller.wait_quiet(CALL_S)
        await caller.say(question)
        await until_said(caller, "You said 3 things.")
        assert "Hello!" not in " ".join(line.text for line in caller.lines)
        assert "user" in {line.speaker for line in caller.lines}
        assert await call.agents() == agents
        assert (await call.look()).status is State.ACTIVE


async def test_a_second_tab_takes_over_and_the_session_goes_on(
    fleet: Fleet, provider: Provider
) -> None:
    """The server puts the first participant out; the grace of that one must not end anything."""
    await answer_by_number(provider)
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_GRACE_S="1")
    call = await fleet.start_call()
    async with call.join() as first:
        await first.wait_greeting(CALL_S)
        async with call.join() as second:
            assert await first.wait_ended(CALL_S) == "DUPLICATE_IDENTITY"
            await second.wait_agent(CALL_S)
            await asyncio.sleep(2)  # longer than the grace
            await second.type("Still me.")
            await until_said(second, "You said 1 things.")
            assert (await call.look()).status is State.ACTIVE
    del worker


async def test_a_user_who_does_not_come_back_ends_the_session(
    fleet: Fleet, provider: Provider
) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_GRACE_S="2")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
    assert (await call.look()).status is State.ACTIVE
    ended = await call.until(State.ENDED)
    assert (ended.reason, ended.error) == ("user_left", None)
    await call.until_room_is_closed()


async def test_a_user_whose_connection_fails_at_first_has_the_time_to_try_again(
    fleet: Fleet, provider: Provider
) -> None:
    """1. The user is in the room, but no media flow: LiveKit's own clients wait 15 s for them.
    2. That attempt is given up. 3. The next one comes after `USER_GRACE_S`, and succeeds.

    Result: the agent is still there, and greets. Seen with ten users who joined at once on two
    cores: LiveKit lost the signal connections of three within their first second.
    """
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_GRACE_S="1")
    call = await fleet.start_call()
    await call.until(State.READY)
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{call.url}/rtc?access_token={call.token}&protocol=15") as signal,
    ):
        assert (await signal.receive(timeout=CALL_S)).type is aiohttp.WSMsgType.BINARY
        await call.until(State.ACTIVE)
    await eventually(lambda: worker.has_logged('"message": "user left"'), CALL_S)
    await asyncio.sleep(3)  # longer than the grace
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        assert (await call.look()).epoch == 1


async def test_a_user_who_never_connects_ends_the_session(fleet: Fleet, provider: Provider) -> None:
    """Whatever `USER_GRACE_S` is: they have as long as who never comes."""
    await fleet.start_worker(
        OPENAI_BASE_URL=provider.url, USER_GRACE_S="100", NO_USER_TIMEOUT_S="8"
    )
    call = await fleet.start_call()
    await call.until(State.READY)
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{call.url}/rtc?access_token={call.token}&protocol=15") as signal,
    ):
        assert (await signal.receive(timeout=CALL_S)).type is aiohttp.WSMsgType.BINARY
        await call.until(State.ACTIVE)
    ended = await call.until(State.ENDED, State.FAILED)
    assert ended.reason == "no_user"


async def test_somebody_else_in_the_room_is_neither_heard_nor_answered(
    fleet: Fleet, provider: Provider, localvoice_url: str
) -> None:
    """They type and speak, before the user is there and while the user is. Only the user counts."""
    await answer_by_number(provider)
    provider.heard = "Somebody else speaks."
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    speech = await speak(localvoice_url, "Please tell me everything about it.")
    call = await fleet.start_call()
    async with stranger(fleet, call) as other:
        await other.wait_agent(CALL_S)
        await other.type("Let me in.")
        await other.say(speech)
        async with call.join() as caller:
            await caller.wait_agent(CALL_S)
            await other.type("Tell me a secret.")
            await other.say(speech)
            await caller.type("It is me.")
            await until_said(caller, "You said 1 things.")
            await other.say(speech)
            await other.type("And me?")
            await caller.type("Still me.")
            await until_said(caller, "You said 2 things.")
    assert provider.requests(Stage.HEARING) == []
    assert {said_by(messages, "user") for messages in chats(provider)} == {
        "It is me.",
        "It is me. Still me.",
    }


async def test_what_is_typed_is_cut_to_the_length_of_a_turn(
    fleet: Fleet, provider: Provider
) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("   ")  # nothing to answer
        await caller.type("x" * 100_000)
        await until_said(caller, "I see.")
        await caller.type("And short.")
        await eventually(lambda: has_asked(provider, "And short."), CALL_S)
    assert said_by(chats(provider)[-1], "user") == "x" * 4000 + " And short."


async def has_asked(provider: Provider, words: str) -> bool:
    return bool(chats(provider)) and words in said_by(chats(provider)[-1], "user")


async def test_somebody_else_does_not_keep_a_session_alive(
    fleet: Fleet, provider: Provider
) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_GRACE_S="1")
    call = await fleet.start_call()
    async with stranger(fleet, call) as other:
        async with call.join() as caller:
            await caller.wait_greeting(CALL_S)
        assert (await call.until(State.ENDED)).reason == "user_left"

        async def is_out() -> bool:
            return other.log.ended_because is not None

        await eventually(is_out, CALL_S)


def stranger(fleet: Fleet, call: Call) -> Caller:
    """Somebody with a token of the room that is not the user's."""
    token = api.AccessToken(fleet.server.api_key, fleet.server.api_secret)
    token = token.with_identity("somebody-else")
    token = token.with_grants(api.VideoGrants(room_join=True, room=call.room))
    return Caller(call.url, token.to_jwt())
