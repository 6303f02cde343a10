"""Providers that fail in the middle of real calls: what the user gets to hear.

Typed chat, wherever speech itself is not the point.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.talk.caller import Caller
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.provider import Provider, Stage, Trouble
from tests.support.provider import provider as serving_provider
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

APOLOGY = "I'm sorry, I have a technical problem right now. Please try again in a moment."


@pytest.fixture
async def second() -> AsyncIterator[Provider]:
    async with serving_provider() as one:
        one.reply = "This is the second."
        yield one


async def has_apologised(caller: Caller, times: int = 1) -> bool:
    return sum(APOLOGY in line.text for line in caller.lines) >= times


async def until_answered(caller: Caller, words: str) -> None:
    async def is_answered() -> bool:
        return any(words in line.text for line in caller.lines)

    await eventually(is_answered, CALL_S, message=f"the agent says {words!r}")


async def until_apologised(caller: Caller, times: int = 1) -> None:
    await eventually(lambda: has_apologised(caller, times), CALL_S, message="an apology")


async def until_clips_are_made(worker: WorkerProcess) -> None:
    async def are_made() -> bool:
        return worker.log.read_text().count("clip made") >= 2

    await eventually(are_made, CALL_S, message="both clips")


@pytest.mark.parametrize("stage", [Stage.CHAT, Stage.SPEECH])
@pytest.mark.parametrize("trouble", [Trouble.HANG, Trouble.ERROR])
async def test_alone_it_apologises_and_the_call_goes_on(
    fleet: Fleet, provider: Provider, stage: Stage, trouble: Trouble, tmp_path: Path
) -> None:
    """1. The only model of a stage fails. 2. The user types. 3. It works again.

    Result: the user hears an apology, tries again, is answered; the session has not failed. What
    failed was asked a second time; what said nothing was not.
    """
    worker = await fleet.start_worker(
        OPENAI_BASE_URL=provider.url, PROVIDER_TIMEOUT_S="1", GREETING_CACHE_DIR=str(tmp_path)
    )
    await until_clips_are_made(worker)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[stage] = trouble
        asked = len(provider.requests(stage))
        await caller.type("Are you there?")
        await until_apologised(caller)
        assert len(provider.requests(stage)) - asked == (1 if trouble is Trouble.HANG else 2)
        heard = caller.hearing
        await caller.wait_quiet(CALL_S)
        assert heard.last_loud_at is not None
        provider.trouble.clear()
        provider.reply = "Yes, I am."
        await caller.type("Again: are you there?")
        await until_answered(caller, "Yes, I am.")
        assert (await call.look()).status is State.ACTIVE
    assert any('"kind"' in line for line in worker.records_of(call))
    assert (await call.until(State.ENDED)).error is None


async def test_another_answers_and_other_calls_know_at_once(
    fleet: Fleet, provider: Provider, second: Provider, tmp_path: Path
) -> None:
    """1. The first model hangs. 2. A user types. 3. Another call begins, whose user types too.
    4. The first model works again; the user goes on.

    Result: both users are answered by the second model, and nobody asked the first again until the
    outage had lapsed; in the end the first answers.
    """
    provider.reply = "This is the first."
    provider.trouble[Stage.CHAT] = Trouble.HANG
    await fleet.start_worker(
        OPENAI_BASE_URL=provider.url,
        LLM_FALLBACK_BASE_URL=second.url,
        PROVIDER_ATTEMPT_TIMEOUT_S="1",
        # An eighth of it the first time.
        PROVIDER_OUTAGE_S="160",
        POOL_SIZE="2",
        GREETING_CACHE_DIR=str(tmp_path),
    )
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_agent(CALL_S)
        await caller.type("Who are you?")
        await until_answered(caller, "This is the second.")
        asked = len(provider.requests(Stage.CHAT))
        assert asked >= 1

        other = await fleet.start_call()
        async with other.join() as newcomer:
            await newcomer.wait_agent(CALL_S)
            await newcomer.type("And you?")
            await until_answered(newcomer, "This is the second.")
            assert len(provider.requests(Stage.CHAT)) == asked

        provider.trouble.clear()

        async def is_answered_by_the_first() -> bool:
            await caller.type("And now?")
            await caller.wait_quiet(CALL_S)
            return any("This is the first." in line.text for line in caller.lines)

        await eventually(is_answered_by_the_first, 2 * CALL_S, interval_s=1.0)
    assert not await has_apologised(caller)
    # Nobody noticed, but whoever looks for the reason of a slow answer does.
    for one in (call, other):
        await one.until(State.ENDED)
    (failure,) = (await call.final_part()).failures
    assert (failure.stage, failure.kind, failure.is_recoverable) == ("llm", "silent", True)
    # Once, also where it is tried in the background: the first outage is a short one.
    assert failure.count == 1
    assert failure.label.partition("/")[0] in provider.url
    assert (await other.final_part()).failures == ()


async def test_a_stage_that_fails_again_and_again_ends_the_call_after_the_apology(
    fleet: Fleet, provider: Provider, tmp_path: Path
) -> None:
    worker = await fleet.start_worker(
        OPENAI_BASE_URL=provider.url, FAILED_TURNS_LIMIT="2", GREETING_CACHE_DIR=str(tmp_path)
    )
    await until_clips_are_made(worker)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[Stage.CHAT] = Trouble.DENIED
        await caller.type("Are you there?")
        await until_apologised(caller)
        await caller.wait_quiet(CALL_S)
        quiet_at = time.monotonic()
        await caller.type("Again: are you there?")
        assert await caller.wait_ended(CALL_S) == "ROOM_DELETED"
        assert caller.hearing.last_loud_at is not None
        # The tests' provider takes 0.05 s for a character.
        apology_s = 0.05 * len(APOLOGY)
        assert caller.hearing.last_loud_at - quiet_at > 0.8 * apology_s
    assert "language model" in ((await call.until(State.FAILED)).error or "")


@pytest.mark.parametrize("has_substitute", [True, False])
async def test_what_could_not_be_heard(
    fleet: Fleet,
    provider: Provider,
    second: Provider,
    environment: dict[str, str],
    has_substitute: bool,
) -> None:
    """A spoken sentence, at which recognition fails.

    Result: the other model hears the same sentence; or the user hears an apology and, once it
    works again, is understood.
    """
    second.heard, provider.heard = "Words for the second.", "Words for the first."
    provider.reply = lambda messages: f"I heard: {messages[-1]['content']}"
    localvoice_url = environment["OPENAI_BASE_URL"].removesuffix("/v1")
    worker = await fleet.start_worker(
        OPENAI_BASE_URL=provider.url,
        PROVIDER_TIMEOUT_S="2",
        PROVIDER_ATTEMPT_TIMEOUT_S="1",
        # An empty value counts as unset.
        STT_FALLBACK_BASE_URL=second.url if has_substitute else "",
    )
    await until_clips_are_made(worker)
    sentence = await speak(localvoice_url, "What is two plus two?")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[Stage.HEARING] = Trouble.HANG
        await caller.say(sentence)
        if has_substitute:
            await until_answered(caller, "I heard: Words for the second.")
            return
        await until_apologised(caller)
        await caller.wait_quiet(CALL_S)
        provider.trouble.clear()
        await caller.say(sentence)
        await until_answered(caller, "I heard: Words for the first.")


async def test_half_a_character_that_was_heard_does_not_stay_in_the_conversation(
    fleet: Fleet, provider: Provider, environment: dict[str, str]
) -> None:
    """1. Recognition spells one, as JSON can. 2. The user goes on.

    Result: both are answered; nothing failed.
    """
    provider.heard = "half \ud83d char."
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    sentence = await speak(environment["OPENAI_BASE_URL"].removesuffix("/v1"), "How are you?")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.reply = "I have heard you."
        await caller.say(sentence)
        await until_answered(caller, "I have heard you.")
        provider.reply = "I go on."
        await caller.type("And now?")
        await until_answered(caller, "I go on.")
    assert (await call.final_part()).failures == ()
