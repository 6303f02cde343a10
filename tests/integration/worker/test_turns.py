"""Turns on their way to a real Redis, which is away now and then."""

from __future__ import annotations

import asyncio

import pytest

from sessions.settings import Transcripts
from sessions.store import SessionStore
from tests.integration.worker.scribes import Desk, conversation, say
from tests.support.fault_proxy import Fault
from tests.support.wait import eventually
from worker.call.turns import Turns

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


async def until_said(desk: Desk, *texts: str) -> None:
    async def is_said() -> bool:
        return [text for _, text in await desk.said()] == list(texts)

    await eventually(is_said, 20, message=f"turns {texts}")


async def test_turns_are_written_as_they_happen_and_nothing_else(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    say(session, "system", "Be nice.")
    say(session, "assistant", "Hello!")
    say(session, "user", "  My name is Ada. ")
    say(session, "assistant", "   ")
    await until_said(desk, "Hello!", "My name is Ada.")
    assert [role for role, _ in await desk.said()] == ["assistant", "user"]
    await turns.flush(5)


async def test_an_outage_delays_turns_and_keeps_their_order(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    say(session, "user", "0")
    await until_said(desk, "0")
    await desk.proxy.switch(Fault.REFUSE)
    for number in range(1, 10):
        say(session, "user" if number % 2 else "assistant", str(number))
    # One has been tried in vain by now.
    await asyncio.sleep(0.5)
    assert [text for _, text in await desk.said()] == ["0"]
    await desk.proxy.switch(Fault.PASS)
    await until_said(desk, *map(str, range(10)))
    await turns.flush(5)


async def test_of_too_many_the_oldest_are_given_up(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    await desk.proxy.switch(Fault.REFUSE)
    for number in range(300):
        say(session, "user", str(number))
    await desk.proxy.switch(Fault.PASS)
    await until_said(desk, *map(str, range(100, 300)))
    await turns.flush(5)


async def test_the_last_turns_are_written_at_the_end(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    for number in range(20):
        say(session, "user", str(number))
    await turns.flush(10)
    assert [text for _, text in await desk.said()] == [str(number) for number in range(20)]
    say(session, "user", "too late")
    await turns.flush(1)
    assert len(await desk.said()) == 20


async def test_the_end_does_not_wait_for_ever(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    await desk.proxy.switch(Fault.BLACK_HOLE)
    say(session, "user", "lost")
    async with asyncio.timeout(10):
        await turns.flush(0.2)
    assert await desk.said() == []


async def test_only_who_has_claimed_the_session_writes(desk: Desk) -> None:
    """1. Another job has the session under the same epoch. 2. Words are said by this one.

    Result: they wait for a claim that does not come, and the end does not wait for it.
    """
    session, turns = conversation(), Turns(desk.agent, desk.assignment, asyncio.Event())
    turns.watch(session)
    say(session, "user", "not ours")
    async with asyncio.timeout(10):
        await turns.flush(60)
    assert await desk.said() == []


async def test_what_is_said_before_the_claim_is_written_after_it(desk: Desk) -> None:
    claimed = asyncio.Event()
    session, turns = conversation(), Turns(desk.agent, desk.assignment, claimed)
    turns.watch(session)
    say(session, "user", "early")
    await asyncio.sleep(0.3)
    assert await desk.said() == []
    claimed.set()
    await until_said(desk, "early")
    await turns.flush(5)


async def test_an_agent_that_was_replaced_writes_no_more(desk: Desk) -> None:
    session, turns = conversation(), Turns(desk.agent, desk.assignment, desk.claimed)
    turns.watch(session)
    await desk.store.lose(desk.assignment.session_id, "gone", epoch=1, is_certain=True)
    say(session, "user", "from the past")
    async with asyncio.timeout(10):
        await turns.flush(5)
    say(session, "user", "again")
    assert await desk.said() == []


async def test_without_transcripts_nothing_is_taken_down(desk: Desk) -> None:
    settings = desk.store.settings.model_copy(update={"transcripts": Transcripts.OFF})
    store = SessionStore(desk.agent._engine.redis, settings)
    session, turns = conversation(), Turns(store, desk.assignment, desk.claimed)
    turns.watch(session)
    say(session, "user", "private")
    await turns.flush(1)
    assert len(turns._waiting) == 0
    assert await desk.said() == []
