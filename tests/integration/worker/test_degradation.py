"""Providers that fail in the middle of real calls: what the user gets to hear.

Typed chat, wherever speech itself is not the point.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from devstack.talk.caller import Caller
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.provider import Provider, Stage, Trouble
from tests.support.provider import provider as serving_provider
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(240)

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
    fleet: Fleet, provider: Provider, stage: Stage, trouble: Trouble, tmp_path: object
) -> None:
    """1. The only model of a stage fails. 2. The user types. 3. It works again.

    Result: the user hears an apology, tries again, is answered; the session has not failed.
    """
    worker = await fleet.start_worker(
        OPENAI_BASE_URL=provider.url, PROVIDER_TIMEOUT_S="1", GREETING_CACHE_DIR=str(tmp_path)
    )
    await until_clips_are_made(worker)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[stage] = trouble
        await caller.type("Are you there?")
        await until_apologised(caller)
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
