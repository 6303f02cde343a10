"""Models, tools and participants that mean harm, or are broken: the call goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from livekit import rtc

from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.integration.worker.talking import until_said
from tests.integration.worker.test_adoption import Foreign
from tests.integration.worker.test_safety import stranger
from tests.support.provider import Provider, Stage, ToolCall, Trouble

pytestmark = pytest.mark.timeout(400)

WORD = "xyzzy"
EXITING = '''
import sys


def leave() -> str:
    """Leave."""
    sys.exit(3)


async def leave_at_once() -> str:
    """Leave at once."""
    sys.exit(3)
'''


@pytest.fixture(scope="module")
def localvoice_url() -> str:
    """No speech models: each worker is told of the provider of its test."""
    return "http://127.0.0.1:1"


async def test_a_tool_that_ends_its_process_ends_no_call(
    fleet: Fleet, provider: Provider, tmp_path: Path
) -> None:
    (tmp_path / "leaving.py").write_text(EXITING)
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, TOOLS_DIR=str(tmp_path))
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        for name in ("leave", "leave_at_once"):
            provider.reply = lambda messages, name=name: (
                f"Still here after {name}."
                if messages[-1]["role"] == "tool"
                else ToolCall(name=name)
            )
            await caller.type("Leave.")
            await until_said(caller, f"Still here after {name}.")
        assert (await call.look()).status is State.ACTIVE


async def test_half_a_character_does_not_stay_in_the_conversation(
    fleet: Fleet, provider: Provider
) -> None:
    """1. The model says one, as JSON can spell it; then in what a tool is to be told. 2. The user
    asks on.

    Result: each is answered; nothing failed.
    """
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.reply = "half \ud83d char"
        await caller.type("Say something odd.")
        await until_said(caller, "half \ufffd char")
        provider.reply = lambda messages: (
            "That was no zone."
            if messages[-1]["role"] == "tool"
            else ToolCall(name="current_time", arguments={"zone": "half \ud83d zone"})
        )
        await caller.type("What time is it there?")
        await until_said(caller, "That was no zone.")
        provider.reply = "I go on."
        await caller.type("And now?")
        await until_said(caller, "I go on.")
    assert (await call.final_part()).failures == ()


@pytest.mark.parametrize("trouble", [Trouble.ALIVE, Trouble.FLOOD])
async def test_an_answer_without_an_end_is_apologised_for(
    fleet: Fleet, provider: Provider, trouble: Trouble
) -> None:
    """1. The model keeps the connection alive and says nothing, or it never stops. 2. It works."""
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, PROVIDER_TIMEOUT_S="2")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[Stage.CHAT] = trouble
        await caller.type("Are you there?")
        await until_said(caller, "technical problem")
        provider.trouble.clear()
        provider.reply = "I am back."
        await caller.type("And now?")
        await until_said(caller, "I am back.")


async def test_what_participants_send_is_in_no_log(fleet: Fleet, provider: Provider) -> None:
    """1. Streams on topics that nobody reads, by the hundred. 2. The user types, and leaves."""
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        agent = caller.room.local_participant
        for number in range(150):
            await agent.send_text("x", topic=f"{WORD} {number}")
            writer = await agent.stream_bytes("x", topic=f"{WORD} {number}")
            await writer.aclose()
        await caller.type("Hello?")
        await until_said(caller, "I see.")
    await call.final_part()
    assert WORD not in worker.log.read_text()
    lines = await call.store.journal.logs(call.session_id)
    assert lines
    assert WORD not in str(lines)


async def test_somebody_else_is_not_the_user(fleet: Fleet, provider: Provider) -> None:
    """Result: a session whose user never comes ends, whoever else listens."""
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, NO_USER_TIMEOUT_S="6")
    call = await fleet.start_call()
    async with stranger(fleet, call):
        ended = await call.until(State.ENDED)
    assert ended.reason == "no_user"


async def test_a_video_that_says_it_is_a_microphone_is_not_listened_to(
    fleet: Fleet, provider: Provider
) -> None:
    """In a room of somebody else's, where there may be any track."""
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    foreign = Foreign(fleet)
    await foreign.send_agent()
    async with foreign.join("ada") as ada:
        await ada.wait_greeting(CALL_S)
        track = rtc.LocalVideoTrack.create_video_track("v", rtc.VideoSource(64, 64))
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await ada.room.local_participant.publish_track(track, options)
        await ada.type("Hello?")
        await until_said(ada, "I see.")
    await foreign.until(State.ENDED)
    assert "failed to emit event track_subscribed" not in worker.log.read_text()
