"""The ear says of real speech what the framework's own detector says of it."""

from __future__ import annotations

import asyncio
import random
from array import array

import pytest
from livekit import rtc
from livekit.agents import inference, vad

from tests.support.speech import speak
from worker.voice.ear import RATE, Ear, Rules

_DONE = vad.VADEventType.INFERENCE_DONE
_WINDOW = 512


@pytest.fixture(scope="module")
def voice(localvoice_url: str) -> bytes:
    """Two sentences with a pause between them, in a room that is not quite quiet; at 16 kHz."""
    dice = random.Random(7)  # noqa: S311 - noise
    samples = array("h")
    for text in ("Hello there, how are you today?", "Well. I would like to know the time."):
        sound = asyncio.run(speak(localvoice_url, text))
        assert sound.rate == 24_000
        resampler = rtc.AudioResampler(sound.rate, RATE)
        frame = rtc.AudioFrame(sound.samples.tobytes(), sound.rate, 1, len(sound.samples))
        for piece in [*resampler.push(frame), *resampler.flush()]:
            samples.extend(array("h", bytes(piece.data.cast("B"))))
        samples.extend([0] * RATE)
    noisy = array("h", (max(-32_768, min(32_767, one + dice.randint(-40, 40))) for one in samples))
    return noisy.tobytes()


def frames(voice: bytes, samples: int, rate: int = RATE) -> list[rtc.AudioFrame]:
    """Cut it into pieces."""
    step = 2 * samples
    cut = (voice[at : at + step] for at in range(0, len(voice) - step + 1, step))
    return [rtc.AudioFrame(piece, rate, 1, samples) for piece in cut]


async def heard(detector: vad.VAD, pieces: list[rtc.AudioFrame]) -> list[vad.VADEvent]:
    stream = detector.stream()
    for piece in pieces:
        stream.push_frame(piece)
    stream.end_input()
    try:
        async with asyncio.timeout(60):
            return [event async for event in stream]
    finally:
        await stream.aclose()


def told(event: vad.VADEvent) -> dict[str, object]:
    """Return all of an event that is not a measurement."""
    (frame,) = event.frames
    return {
        "type": event.type,
        "index": event.samples_index,
        "at": pytest.approx(event.timestamp),
        "speech": pytest.approx(event.speech_duration),
        "silence": pytest.approx(event.silence_duration),
        "probability": pytest.approx(event.probability, abs=1e-6),
        "loud": pytest.approx(event.raw_accumulated_speech),
        "still": pytest.approx(event.raw_accumulated_silence),
        "speaking": event.speaking,
        "sound": bytes(frame.data.cast("B")),
    }


async def test_it_says_what_the_frameworks_own_says(voice: bytes) -> None:
    """Of what that says while nobody speaks, it says a part."""
    pieces = frames(voice, _WINDOW)
    theirs = [told(one) for one in await heard(inference.VAD(model="silero"), pieces)]
    ours = [told(one) for one in await heard(Ear(), pieces)]
    edges = [one for one in theirs if one["type"] is not _DONE]
    assert len(edges) >= 4
    assert [one for one in ours if one["type"] is not _DONE] == edges
    by_index = {one["index"]: one for one in theirs if one["type"] is _DONE}
    done = [one for one in ours if one["type"] is _DONE]
    assert all(one == by_index[one["index"]] for one in done)
    said = {one["index"] for one in done}
    left_out = [one for index, one in by_index.items() if index not in said]
    assert left_out
    assert not any(one["speaking"] or one["loud"] != 0 for one in left_out)


@pytest.mark.parametrize("samples", [160, 800, 1_000, 5_000])
async def test_pieces_of_any_length_do(voice: bytes, samples: int) -> None:
    expected = [told(one) for one in await heard(Ear(), frames(voice, _WINDOW))]
    found = [told(one) for one in await heard(Ear(), frames(voice, samples))]
    assert found == expected[: len(found)]
    assert len(found) >= len(expected) - 6


async def test_another_rate_is_converted(voice: bytes) -> None:
    """At half the rate it says when speech begins and ends where the framework's own says so."""
    half = array("h", voice)[::2].tobytes()
    pieces = frames(half, 400, RATE // 2)
    theirs = await heard(inference.VAD(model="silero"), pieces)
    ours = await heard(Ear(), pieces)
    assert edges(ours) == edges(theirs)
    assert edges(ours)


def edges(events: list[vad.VADEvent]) -> list[tuple[vad.VADEventType, int]]:
    return [(one.type, one.samples_index) for one in events if one.type is not _DONE]


async def test_after_a_flush_it_begins_anew(voice: bytes) -> None:
    pieces = frames(voice, _WINDOW)
    expected = [told(one) for one in await heard(Ear(), pieces)]
    stream = Ear().stream()
    for piece in pieces[: len(pieces) // 3]:
        stream.push_frame(piece)
    stream.flush()
    before = stream._event_ch.qsize()
    for piece in pieces:
        stream.push_frame(piece)
    stream.end_input()
    found = [told(one) async for one in stream]
    await stream.aclose()
    assert found[before:] == expected


async def test_what_is_too_long_is_cut_off(voice: bytes) -> None:
    rules = Rules(longest_s=0.2)
    found = await heard(Ear(rules), frames(voice, _WINDOW))
    ends = [one for one in found if one.type is vad.VADEventType.END_OF_SPEECH]
    assert ends
    for end in ends:
        (frame,) = end.frames
        assert frame.samples_per_channel <= (rules.longest_s + rules.prefix_s) * RATE


async def test_one_that_is_closed_takes_nothing(voice: bytes) -> None:
    piece = frames(voice, _WINDOW)[0]
    stream = Ear().stream()
    stream.push_frame(piece)
    await stream.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        stream.push_frame(piece)
    with pytest.raises(RuntimeError, match="closed"):
        stream.end_input()
