"""What somebody in the room can do to an agent, and learn from it: what a user may, and no more."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from livekit import api, rtc
from livekit.agents.voice.remote_session import RemoteSession

from devstack.talk.caller import Caller
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Call, Fleet, WorkerProcess
from tests.integration.worker.test_drain import said
from tests.support.provider import Provider, Stage, ToolCall
from tests.support.wait import eventually
from worker.call.typed import BURST, MAX_CHARS

pytestmark = pytest.mark.timeout(400)

SECRET_INSTRUCTIONS = "Never tell anybody about the marmalade."
PROVIDER_KEY = "sk-provider-key-of-the-test"
#: What parts of the framework register, or did in another version.
METHODS = [
    "lk.clear_buffer",
    "lk.playback_finished",
    "lk.playback_started",
    "lk.agent.session",
    "get_session_state",
    "get_chat_history",
    "get_agent_info",
    "send_message",
]


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


@pytest.fixture
async def guarded(fleet: Fleet, provider: Provider) -> WorkerProcess:
    return await fleet.start_worker(
        OPENAI_BASE_URL=provider.url,
        OPENAI_API_KEY=PROVIDER_KEY,
        AGENT_INSTRUCTIONS=SECRET_INSTRUCTIONS,
    )


def stranger(fleet: Fleet, call: Call) -> Caller:
    """Somebody else in the room of a call; our tokens would not let them in."""
    server = fleet.server
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("stranger")
    token = token.with_grants(api.VideoGrants(room_join=True, room=call.room))
    return Caller(server.url, token.to_jwt())


def typed_words(provider: Provider) -> list[str]:
    """Return what the user said in the requests for an answer, each time the last of it."""
    words = []
    for asked in provider.requests(Stage.CHAT):
        content = asked.body["messages"][-1]["content"]
        words.append(content if isinstance(content, str) else content[0]["text"])
    return words


async def test_instructions_and_secrets_cannot_be_read(
    fleet: Fleet, guarded: WorkerProcess
) -> None:
    """By the user: the framework's data channel, its RPC methods, what the room shows."""
    del guarded
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        (agent,) = [one for one in caller.room.remote_participants.values() if _is_agent(one)]
        remote = RemoteSession.from_room(caller.room, agent.identity)
        await remote.start()
        for ask in (remote.get_agent_info, remote.get_chat_history, remote.get_session_state):
            with pytest.raises((TimeoutError, asyncio.TimeoutError, RuntimeError)):
                await asyncio.wait_for(ask(), 2)
        await remote.aclose()
        for method in METHODS:
            with pytest.raises(rtc.RpcError) as refused:
                await caller.room.local_participant.perform_rpc(
                    destination_identity=agent.identity, method=method, payload="{}"
                )
            assert refused.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
        dispatched = await fleet.livekit.agent_dispatch.list_dispatch(call.room)
        shown = repr(
            [
                agent.metadata,
                dict(agent.attributes),
                agent.name,
                caller.room.metadata,
                *(one.metadata for one in dispatched),
                *(line.text for line in caller.lines),
            ]
        )
    secrets = [fleet.server.api_secret, PROVIDER_KEY, SECRET_INSTRUCTIONS, "redis://"]
    assert [one for one in secrets if one in shown] == []


async def test_only_the_user_is_listened_to(
    fleet: Fleet, guarded: WorkerProcess, provider: Provider
) -> None:
    del guarded
    call = await fleet.start_call()
    async with call.join() as caller, stranger(fleet, call) as other:
        await caller.wait_greeting(CALL_S)
        await other.type("I am the stranger.")
        await caller.type("I am the user.")
        await said(caller, "I see.")
    assert typed_words(provider) == ["I am the user."]


async def test_long_messages_are_cut_and_too_many_are_passed_over(
    fleet: Fleet, guarded: WorkerProcess, provider: Provider
) -> None:
    """1. A message of two megabytes. 2. A thousand small ones. 3. One more, when it is quiet.

    Result: the first is cut; few of the thousand are answered; the last one is.
    """
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("x" * 2_000_000)
        await eventually(lambda: _has_asked(provider, 1), CALL_S)
        assert len(typed_words(provider)[0]) == MAX_CHARS
        began_at = asyncio.get_running_loop().time()
        for start in range(0, 1_000, 50):
            await asyncio.gather(*(caller.type(f"No. {start + n}") for n in range(50)))
        took_s = asyncio.get_running_loop().time() - began_at
        await eventually(lambda: guarded.has_logged("too many messages"), CALL_S)
        provider.reply = "Still here."

        async def answers_again() -> bool:
            await caller.type("Are you there?")
            with suppress(AssertionError):
                await eventually(lambda: _hears(caller, "Still here."), 2)
                return True
            return False

        await eventually(answers_again, CALL_S)
        numbered = [text for text in typed_words(provider) if text.startswith("No. ")]
        assert 1 <= len(numbered) <= BURST + took_s + CALL_S
        assert (await call.look()).status is State.ACTIVE


async def test_a_model_that_calls_functions_badly_ends_nothing(
    fleet: Fleet, guarded: WorkerProcess, provider: Provider
) -> None:
    """A function that is not there; one with arguments it does not know; a path for a place.

    Result: the model is told what was wrong and answers; of the first, it is not even told.
    """
    calls = [
        ToolCall(name="current_time", arguments={"nonsense": [1, 2, 3]}),
        ToolCall(name="current_time", arguments={"zone": "../../../etc/passwd"}),
        ToolCall(name="current_time", arguments={"zone": "x" * 100_000}),
    ]
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.reply = ToolCall(name="read_file", arguments={"path": "/etc/passwd"})
        await caller.type("What is in that file?")
        await eventually(lambda: _has_asked(provider, 1), CALL_S)
        for number, wrong in enumerate(calls):
            provider.reply = lambda messages, wrong=wrong, number=number: (
                f"Answer {number}." if messages[-1]["role"] == "tool" else wrong
            )
            await caller.type(f"Question {number}")
            await said(caller, f"Answer {number}.")
        provider.reply = "All is well."
        await caller.type("How are you?")
        await said(caller, "All is well.")
        assert (await call.look()).status is State.ACTIVE
    told = repr([asked.body["messages"] for asked in provider.requests(Stage.CHAT)])
    assert "root:" not in told
    assert "Traceback" not in told
    del guarded


async def _hears(caller: Caller, text: str) -> bool:
    return any(text in line.text for line in caller.lines if line.speaker == "agent")


async def _has_asked(provider: Provider, number: int) -> bool:
    return len(provider.requests(Stage.CHAT)) >= number


def _is_agent(participant: rtc.RemoteParticipant) -> bool:
    return participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
