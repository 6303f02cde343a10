"""Recordings of what a user said while nobody was there to hear it: heard, and bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from livekit import rtc

from devstack.talk.microphone import Microphone
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Call, Fleet, Worker
from tests.integration.worker.talking import until_said
from tests.integration.worker.test_safety import stranger
from tests.support.provider import Provider
from tests.support.recordings import RATE, Pcm, packed
from tests.support.speech import is_alike, speak
from tests.support.wait import eventually
from worker.call.preconnect import MOST_BUFFERS, TOPIC

pytestmark = pytest.mark.timeout(400)

#: Far more than all recordings that are taken can be, far less than what is sent.
LITTLE_BYTES = 40_000_000


@asynccontextmanager
async def silent(call: Call) -> AsyncIterator[tuple[rtc.Room, str]]:
    """Be the user, in the room with an agent, with a microphone that only hears the room.

    The track announces a recording; yields its id, too.
    """
    room, microphone = rtc.Room(), Microphone()
    await room.connect(call.url, call.token)
    try:
        await call.until(State.ACTIVE)
        yield room, await microphone.publish(room, has_recording=True)
    finally:
        await microphone.close()
        await room.disconnect()


async def send(room: rtc.Room, data: bytes, track_id: str, mime_type: str = "audio/raw") -> None:
    """Send a recording as LiveKit's clients do."""
    writer = await room.local_participant.stream_bytes(
        "preconnect-buffer",
        mime_type=mime_type,
        attributes={"trackId": track_id, "sampleRate": str(RATE), "channels": "1"},
        topic=TOPIC,
    )
    await writer.write(data)
    await writer.aclose()


async def spoken(localvoice_url: str, text: str) -> Pcm:
    """Whoever records is silent before and after."""
    sound = await speak(localvoice_url, text)
    return np.pad(sound.at_rate(RATE).samples, RATE // 2).astype(np.int16)


async def words_of_user(call: Call) -> str:
    """Return what was understood of the user, once anything was."""

    async def understood() -> str:
        turns = await call.store.conversations.of(call.session_id)
        return " ".join(turn.text for turn in turns if turn.role == "user")

    return await eventually(understood, CALL_S, message="words of the user") or ""


@pytest.mark.parametrize("mime_type", ["audio/webm;codecs=opus", "application/octet-stream"])
async def test_what_was_said_before_is_heard(
    fleet: Fleet, worker: Worker, localvoice_url: str, mime_type: str
) -> None:
    """1. The user asks while nobody is there, and says nothing more. 2. The recording is sent.

    Result: the agent has heard the question.
    """
    del worker
    samples = await spoken(localvoice_url, "What is two plus two?")
    data = packed(samples, "webm", "libopus") if "webm" in mime_type else samples.tobytes()
    call = await fleet.start_call()
    async with silent(call) as (room, track_id):
        await send(room, data, track_id, mime_type)
        assert is_alike(await words_of_user(call), "What is two plus two?")


async def test_only_the_users_recording_counts(
    fleet: Fleet, worker: Worker, localvoice_url: str
) -> None:
    """1. Somebody else sends one for the user's track. 2. The user sends it."""
    del worker
    theirs = await spoken(localvoice_url, "Tell me a story.")
    ours = await spoken(localvoice_url, "What is two plus two?")
    call = await fleet.start_call()
    async with stranger(fleet, call) as other, silent(call) as (room, track_id):
        await send(other.room, theirs.tobytes(), track_id)
        await send(room, ours.tobytes(), track_id)
        assert is_alike(await words_of_user(call), "What is two plus two?")


async def test_recordings_fill_no_memory(fleet: Fleet, provider: Provider) -> None:
    """Twenty recordings of 4 MB, for tracks that are not there.

    Result: the job's process grows by little; the call goes on.
    """
    # Sending all that takes longer than a user may be silent.
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, USER_AWAY_AFTER_S="0")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        process = psutil.Process((await call.look()).agent_pid)
        before = process.memory_info().rss
        for number in range(2 * MOST_BUFFERS):
            await send(caller.room, bytes(4_000_000), f"TR_{number}")
        await caller.type("Are you there?")
        await until_said(caller, "I see.")

        async def has_grown_by_little() -> bool:
            # What is on its way takes memory, too, for a while.
            return bool(process.memory_info().rss - before < LITTLE_BYTES)

        await eventually(has_grown_by_little, CALL_S, message="memory as before")
        assert (await call.look()).status is State.ACTIVE
