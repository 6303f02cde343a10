"""An agent that nobody tells that it is heard speaks all the same, to a user who is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest
from livekit import rtc

from worker.call import track as module
from worker.call.presence import Presence
from worker.call.track import EarlyTrack

#: Far more than anything here takes.
DEADLINE_S = 20.0
COMPLAINT = "nobody tells whether the agent is heard"


@pytest.fixture
async def track() -> AsyncIterator[EarlyTrack]:
    track = EarlyTrack(rtc.Room())
    yield track
    await track.aclose()


@pytest.fixture
def is_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SUBSCRIPTION_S", 0.05)


def connected() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@pytest.mark.usefixtures("is_soon")
async def test_what_waits_is_let_out_for_a_user_who_is_there(
    track: EarlyTrack, caplog: pytest.LogCaptureFixture
) -> None:
    silence = rtc.AudioFrame(bytes(960), 24_000, 1, 480)
    saying = asyncio.create_task(track.capture_frame(silence))
    track.published.set()
    async with asyncio.timeout(DEADLINE_S):
        await track.break_silence(connected())
        await saying
    assert [record.message for record in caplog.records] == [COMPLAINT]


@pytest.mark.usefixtures("is_soon")
@pytest.mark.parametrize("lacks", ["track", "user"])
async def test_nothing_is_let_out_without_a_track_or_a_user(track: EarlyTrack, lacks: str) -> None:
    if lacks != "track":
        track.published.set()
    user = asyncio.Event() if lacks == "user" else connected()
    breaking = asyncio.create_task(track.break_silence(user))
    await asyncio.wait({breaking}, timeout=0.3)  # longer than the deadline
    assert not track.subscribed.done()
    breaking.cancel()


@pytest.mark.usefixtures("is_soon")
async def test_a_user_who_leaves_meanwhile_is_waited_for_anew(track: EarlyTrack) -> None:
    track.published.set()
    user = connected()
    breaking = asyncio.create_task(track.break_silence(user))
    await asyncio.sleep(0)
    user.clear()
    await asyncio.wait({breaking}, timeout=0.3)  # longer than the deadline
    assert not track.subscribed.done()
    user.set()
    async with asyncio.timeout(DEADLINE_S):
        await breaking
    assert track.subscribed.done()


async def test_who_is_told_in_time_complains_of_nothing(
    track: EarlyTrack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    track.published.set()
    breaking = asyncio.create_task(track.break_silence(connected()))
    await asyncio.sleep(0)
    track.subscribed.set_result(None)
    async with asyncio.timeout(DEADLINE_S):
        await breaking
    assert caplog.records == []


async def test_a_user_is_connected_while_media_can_flow() -> None:
    """From when their client has a connection for media until they leave."""
    room = rtc.Room()
    user = Presence(
        room,
        "ada",
        grace_s=DEADLINE_S,
        first_grace_s=DEADLINE_S,
        on_away=lambda: None,
        on_gone=lambda: None,
    )
    user.watch()
    states = rtc.ParticipantState
    ada = SimpleNamespace(identity="ada", kind=None, state=states.PARTICIPANT_STATE_JOINED)
    bob = SimpleNamespace(identity="bob", kind=None, state=states.PARTICIPANT_STATE_ACTIVE)
    seen = []
    for event, one in [
        ("participant_connected", bob),
        ("participant_connected", ada),
        ("participant_active", ada),
        ("participant_disconnected", bob),
        ("participant_disconnected", ada),
    ]:
        if event == "participant_active":
            one.state = states.PARTICIPANT_STATE_ACTIVE
        room.emit(cast("rtc.room.EventTypes", event), one)
        seen.append(user.connected.is_set())
    assert seen == [False, False, True, True, False]
    assert user.was_connected
    user.close()
