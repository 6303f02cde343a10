"""How long a call goes on: in silence, at all, and over a cough."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from devstack.talk.caller import Caller
from sessions.assignment import Assignment
from sessions.ids import WorkerId
from sessions.keys import Keys
from sessions.model import AgentProcess
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.integration.worker.talking import chats, said_by, until_said
from tests.support.provider import Provider
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

ASKED = "Are you still there?"
WARNING = "I am sorry, but we have to come to an end soon."
GOODBYE = "It was nice talking to you. Goodbye!"
#: One sentence that takes 20 s.
STORY = "Once upon a time " + "and so on and on and " * 30 + "they lived on."


def count(caller: Caller, words: str) -> int:
    return sum(words in line.text for line in caller.lines if line.speaker == "agent")


async def test_a_user_who_is_silent_is_asked_and_then_left(
    fleet: Fleet, provider: Provider
) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_AWAY_AFTER_S="3")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await until_said(caller, ASKED)
        await until_said(caller, GOODBYE)
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
        assert count(caller, ASKED) == 1
    ended = await call.until(State.ENDED)
    assert (ended.reason, ended.error) == ("user_away", None)


async def test_a_sign_of_life_is_enough(fleet: Fleet, provider: Provider) -> None:
    """Whoever answers is not left, but asked again after the next silence."""
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_AWAY_AFTER_S="4")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        for times in (1, 2):

            async def is_asked(times: int = times) -> bool:
                return count(caller, ASKED) == times

            await eventually(is_asked, CALL_S)
            assert count(caller, GOODBYE) == 0
            provider.reply = f"Good, for the time number {times}."
            await caller.type("I am here.")
            await until_said(caller, f"number {times}.")
        assert (await call.look()).status is State.ACTIVE


async def test_a_silence_can_last_for_ever(fleet: Fleet, provider: Provider) -> None:
    """With 0 nobody is asked, not at once either."""
    await fleet.start_worker(
        OPENAI_BASE_URL=provider.url, USER_AWAY_AFTER_S="0", MAX_CALL_S="8", CALL_WARNING_S="2"
    )
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.wait_ended(CALL_S)
        assert count(caller, ASKED) == 0
    assert (await call.until(State.ENDED)).reason == "time_limit"


async def test_a_call_ends_in_time_after_a_warning(fleet: Fleet, provider: Provider) -> None:
    """In the middle of a story, too: the goodbye does not wait for its end."""
    provider.reply = STORY
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, MAX_CALL_S="26", CALL_WARNING_S="20")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await until_said(caller, WARNING)
        await caller.type("Tell me a story.")
        await until_said(caller, "Once upon a time")
        await until_said(caller, GOODBYE)
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
        assert count(caller, "they lived on") == 0
    ended = await call.until(State.ENDED)
    assert (ended.reason, ended.error) == ("time_limit", None)


async def test_a_call_ends_in_time_though_nothing_can_be_said(
    fleet: Fleet, provider: Provider
) -> None:
    """Without a provider there is no goodbye; the end comes all the same."""
    await fleet.start_worker(
        OPENAI_BASE_URL="http://127.0.0.1:1/v1", MAX_CALL_S="4", CALL_WARNING_S="0"
    )
    del provider
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_ended(CALL_S + 15)
    assert (await call.until(State.ENDED, State.FAILED)).ended_at_ms is not None


async def test_the_time_of_a_replacement_began_with_the_first_agent(
    fleet: Fleet,
    provider: Provider,
    store: SessionStore,
    redis: Redis,
    settings: StoreSettings,
) -> None:
    """1. An agent could be heard an hour ago, and is lost. 2. Another one comes.

    Result: it says goodbye at once.
    """
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = fleet.new_call()
    await fleet.admit(call)
    first = AgentProcess(worker_id=WorkerId("gone"), pid=1, job_id="AJ_gone", prewarmed=True)
    await store.claim(call.session_id, 1, first)
    await store.mark_ready(call.session_id, 1)
    hour_ago_ms = await store.now() - 3_600_000
    await redis.hset(
        Keys(settings.redis_prefix).session(call.session_id), "readyAt", str(hour_ago_ms)
    )
    await store.lose(call.session_id, "lost", epoch=1, is_certain=True)
    assignment = Assignment(session_id=call.session_id, identity=call.identity, epoch=2)
    await fleet.send_agent(call, assignment.to_metadata())
    async with call.join() as caller:
        await until_said(caller, GOODBYE)
        await caller.wait_ended(CALL_S)
    assert (await call.until(State.ENDED)).reason == "time_limit"


async def test_a_cough_does_not_stop_the_agent(
    fleet: Fleet, provider: Provider, localvoice_url: str
) -> None:
    """1. The agent talks. 2. The user makes a noise in which nobody hears a word.

    Result: the agent falls silent for a moment, and goes on to the end of its sentence.
    """
    cough = await speak(localvoice_url, "Hm hm hm, hm hm.")
    provider.heard = ""
    provider.reply = STORY
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("Tell me a story.")
        await until_said(caller, "and so on")
        said = await caller.say(cough)

        async def is_silent() -> bool:
            return caller.hearing.is_quiet_for(0.5)

        await eventually(is_silent, CALL_S)
        assert count(caller, "they lived on") == 0
        await until_said(caller, "they lived on", CALL_S)
        assert (caller.hearing.last_loud_at or 0) > said.ended_at + 2
        provider.reply = "As you like."
        await caller.type("Another one.")
        await until_said(caller, "As you like.")
    assert "they lived on" in said_by(chats(provider)[-1], "assistant")
