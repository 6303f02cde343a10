"""An agent that takes over goes on where the one before was lost; a user who wants that is
remembered."""

from __future__ import annotations

import os
import signal

import pytest

from sessions.assignment import Assignment
from sessions.ids import UserId
from sessions.model import Newcomer
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.fleet import CALL_S, Call, Fleet, WorkerProcess
from tests.support.provider import Provider, Stage
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

RESUMED = "Sorry, I'm back."


@pytest.fixture(scope="session")
def localvoice_url() -> str:
    """Nobody listens there: these tests have a provider of their own."""
    return "http://127.0.0.1:9"


@pytest.fixture
async def pair(fleet: Fleet, provider: Provider) -> WorkerProcess:
    """A worker with two warm processes, so that a replacement comes at once."""
    return await fleet.start_worker(OPENAI_BASE_URL=provider.url, POOL_SIZE="2")


async def talked(call: Call, count: int) -> list[str]:
    """Return what was said, once it is so many turns."""

    async def said() -> list[str]:
        turns = await call.store.conversations.of(call.session_id)
        return [turn.text for turn in turns] if len(turns) >= count else []

    return await eventually(said, CALL_S, message=f"{count} turns")


async def replace_agent(fleet: Fleet, call: Call) -> None:
    """Kill the agent's process without a chance to say anything, and send another agent."""
    session = await call.look()
    assert session.agent_pid is not None
    os.kill(session.agent_pid, signal.SIGKILL)
    loss = await call.store.lose(
        call.session_id, "its process died", epoch=session.epoch, is_certain=True
    )
    await call.store.dispatch(call.session_id)
    assignment = call.assignment().model_copy(update={"epoch": loss.epoch})
    await fleet.send_agent_again(call, assignment.to_metadata())


def messages(provider: Provider) -> list[tuple[str, str]]:
    """Return roles and words of the last request to the model."""
    body = provider.requests(Stage.CHAT)[-1].body
    return [(one["role"], str(one["content"])) for one in body["messages"]]


async def test_a_replacement_goes_on_with_the_conversation(
    fleet: Fleet, pair: WorkerProcess, provider: Provider
) -> None:
    """1. The user says a name and is answered. 2. The agent's process is killed. 3. Another agent
    is sent. 4. The user asks for the name.

    Result: the other agent says that it is back, does not greet, and the model is asked with all
    that was said; the turns of both are on record.
    """
    del pair
    provider.reply = "Nice to meet you."
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("My name is Grace.")
        assert await talked(call, 3) == [
            "Hello! How can I help you?",
            "My name is Grace.",
            "Nice to meet you.",
        ]
        await replace_agent(fleet, call)
        await call.until(State.ACTIVE)

        # Once it has said it: what is interrupted is a turn only as far as it was spoken.
        assert (await talked(call, 4))[3:] == [RESUMED]
        assert any(RESUMED in line.text for line in caller.lines)
        provider.reply = "You are Grace."
        await caller.type("What is my name?")

        async def is_answered() -> bool:
            return any("You are Grace." in line.text for line in caller.lines)

        await eventually(is_answered, CALL_S)
        texts = await talked(call, 6)
    assert texts[3:] == [RESUMED, "What is my name?", "You are Grace."]
    asked = messages(provider)
    assert asked[0][0] == "system"
    assert asked[1:] == [
        ("assistant", "Hello! How can I help you?"),
        ("user", "My name is Grace."),
        ("assistant", "Nice to meet you."),
        ("assistant", RESUMED),
        ("user", "What is my name?"),
    ]
    assert sum("Hello!" in line.text for line in caller.lines) == 1


async def test_one_that_comes_before_anybody_was_heard_greets(
    fleet: Fleet, pair: WorkerProcess, store: SessionStore
) -> None:
    """The first agent never came: for the user, the second one is the first."""
    del pair
    call = fleet.new_call()
    await fleet.admit(call)
    await store.lose(call.session_id, "no agent came", epoch=1, is_certain=True)
    await store.dispatch(call.session_id)
    assignment = call.assignment().model_copy(update={"epoch": 2})
    await fleet.send_agent(call, assignment.to_metadata())
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        assert (await talked(call, 1)) == ["Hello! How can I help you?"]


async def test_who_wants_to_be_remembered_is(
    fleet: Fleet, pair: WorkerProcess, provider: Provider, store: SessionStore
) -> None:
    """1. A user who wants to be remembered has a session. 2. The same user has another one, and
    then one without wanting that. 3. The user is forgotten, and comes again.

    Result: only in the second session the model is told of the first one, marked as such.
    """
    del pair
    user = UserId("grace")
    note = "earlier conversations"
    assert note not in await _ask(fleet, provider, user, "I like tea.", remember=True)
    second = await _ask(fleet, provider, user, "What do I like?", remember=True)
    assert second.index(note) < second.index("I like tea.") < second.index("What do I like?")
    third = await _ask(fleet, provider, user, "Do you know me?", remember=False)
    assert "I like tea." not in third
    assert note not in third
    assert [turn.text for turn in await store.conversations.memory(user)].count("I like tea.") == 1
    assert "Do you know me?" not in str(await store.conversations.memory(user))
    await store.conversations.forget(user)
    fourth = await _ask(fleet, provider, user, "And now?", remember=True)
    assert "I like tea." not in fourth


async def _ask(
    fleet: Fleet, provider: Provider, user: UserId, words: str, *, remember: bool
) -> str:
    """Have a session in which one thing is said; return what the model was asked with."""
    call = fleet.new_call()
    newcomer = Newcomer(
        id=call.session_id, user_id=user, identity=call.identity, is_remembered=remember
    )
    await call.store.admit(newcomer)
    assignment = Assignment(
        session_id=call.session_id, user_id=user, identity=call.identity, remember=remember
    )
    await fleet.send_agent(call, assignment.to_metadata())
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type(words)
        await talked(call, 3)
    await call.until(State.ENDED)
    return "\n".join(text for _, text in messages(provider))
