"""Text to sound: formats, streaming, speed, and giving up when nobody listens."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import Any, Literal

import httpx2
import numpy as np
import openai
import pytest

from localvoice.audio.sentences import MAX_LETTERS
from tests.integration.localvoice import sounds
from tests.integration.localvoice.server import Server
from tests.integration.localvoice.waiting import eventually
from tests.support.recordings import RATE

TEXT = "The sky is blue. The grass is green."
LONG = "This sentence is here to take a while. " * 90


async def say(http: httpx2.AsyncClient, **body: object) -> httpx2.Response:
    """Ask for speech; the answer must be sound."""
    answer = await http.post("/v1/audio/speech", json={"model": "x", "voice": "y"} | body)
    assert answer.status_code == 200, answer.text
    return answer


async def test_pcm_is_24_khz_mono(client: openai.AsyncOpenAI) -> None:
    async with client.audio.speech.with_streaming_response.create(
        input=TEXT, model="tts-1", voice="alloy", response_format="pcm"
    ) as answer:
        data = await answer.read()

    assert answer.headers["content-type"] == "audio/pcm"
    samples = np.frombuffer(data, dtype="<i2")
    assert 1.5 < len(samples) / RATE < 6
    assert 5_000 < np.abs(samples.astype(int)).max() < 32_700


async def test_wav_is_readable_by_the_standard_library(http: httpx2.AsyncClient) -> None:
    answer = await say(http, input=TEXT, response_format="wav")

    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
    assert 1.5 < sounds.duration_s(answer.content) < 6


@pytest.mark.parametrize(
    ("wanted", "media_type"),
    [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("aac", "audio/aac"), ("flac", "audio/flac")],
)
async def test_compressed_formats_last_as_long(
    client: openai.AsyncOpenAI,
    spoken: sounds.Spoken,
    wanted: Literal["mp3", "opus", "aac", "flac"],
    media_type: str,
) -> None:
    async with client.audio.speech.with_streaming_response.create(
        input=TEXT, model="tts-1", voice="alloy", response_format=wanted
    ) as answer:
        data = await answer.read()

    assert answer.headers["content-type"] == media_type
    # The voice varies a little from one reading to the next.
    expected = len(spoken(TEXT)) / RATE
    assert sounds.duration_s(data) == pytest.approx(expected, rel=0.25)


async def test_mp3_is_the_default_as_with_openai(http: httpx2.AsyncClient) -> None:
    assert (await say(http, input="Hi.")).headers["content-type"] == "audio/mpeg"


async def test_sse_carries_the_same_sound_and_the_usage(http: httpx2.AsyncClient) -> None:
    answer = await say(http, input=TEXT, response_format="pcm", stream_format="sse")

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [
        json.loads(line.removeprefix("data: "))
        for line in answer.text.splitlines()
        if line.startswith("data: ")
    ]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert len(events) > 2
    pcm = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert 1.5 < len(pcm) / 2 / RATE < 6
    usage = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


async def test_speed_changes_the_length(http: httpx2.AsyncClient) -> None:
    lengths = {
        speed: len((await say(http, input=TEXT, response_format="pcm", speed=speed)).content)
        for speed in (0.25, 0.5, 1, 2.0, 4)
    }

    assert sorted(lengths.values(), reverse=True) == list(lengths.values())
    assert lengths[0.5] > 1.5 * lengths[1]


@pytest.mark.parametrize("text", ["...", "  \n ", "\U0001f600", "\0\x07", "[[", "。"])
async def test_nothing_to_pronounce_is_a_pause(http: httpx2.AsyncClient, text: str) -> None:
    answer = await say(http, input=text, response_format="pcm")

    samples = np.frombuffer(answer.content, dtype="<i2")
    assert 0 < len(samples) < RATE


@pytest.mark.parametrize(
    "text",
    [
        # Longer than what is spoken in one piece.
        "9" * (MAX_LETTERS + 60),
        "a" * (MAX_LETTERS + 60),
        "word " * (MAX_LETTERS // 4),
        "[[h@l'oU]] is not spoken as phonemes",
        "né à Zürich, 東京, мир",
        "<speak>hello</speak> &amp; %s %n {}",
        "1.2.3.4 e.g. Dr. Who vs. Mr. Smith...",
        "-!?-" * 100 + "a",
    ],
    ids=lambda text: text[:12],
)
async def test_odd_texts_are_spoken(http: httpx2.AsyncClient, text: str) -> None:
    answer = await say(http, input=text, response_format="pcm", speed=4.0)

    assert len(answer.content) > 2_000


async def test_sentences_follow_each_other_without_clicks(http: httpx2.AsyncClient) -> None:
    answer = await say(http, input=TEXT * 3, response_format="pcm")

    samples = np.frombuffer(answer.content, dtype="<i2").astype(int)
    # A restarted resampler or a cut sentence jumps; speech itself moves far slower.
    jumps = np.abs(np.diff(samples))
    quiet = np.convolve(np.abs(samples), np.ones(240) / 240, mode="same")[:-1] < 50
    assert jumps[quiet].max() < 1_500


async def test_first_bytes_come_before_the_second_sentence_and_leaving_stops_it(
    server: Server, http: httpx2.AsyncClient
) -> None:
    """1. Ask for 90 sentences. 2. Take the first bytes. 3. Leave.

    Result: the log says that only a few of the sentences were ever made.
    """
    body = {"input": LONG, "response_format": "pcm"}
    before = server.log().count('"message": "speech"')

    async with http.stream("POST", "/v1/audio/speech", json=body) as answer:
        async for data in answer.aiter_raw():
            assert data
            break

    await eventually(lambda: server.log().count('"message": "speech"') > before)
    lines = [json.loads(line) for line in server.log().splitlines() if '"speech"' in line]
    made = [line for line in lines if line["message"] == "speech" and line["sentences"] == 90]
    assert made[-1]["sentences_made"] < 45
    await eventually(lambda: server.load("speech")["running"] == 0)


@pytest.mark.parametrize(
    ("change", "param", "status"),
    [
        ({"input": None}, "input", 400),
        ({"input": ""}, "input", 400),
        ({"input": 7}, "input", 400),
        ({"input": "x" * 4097}, "input", 413),
        ({"response_format": "midi"}, "response_format", 400),
        ({"stream_format": "smoke"}, "stream_format", 400),
        ({"speed": 0.1}, "speed", 400),
        ({"speed": 5}, "speed", 400),
        ({"speed": "fast"}, "speed", 400),
        ({"speed": True}, "speed", 400),
        ({"voice": 3}, None, 400),
    ],
)
async def test_bad_fields_are_named(
    http: httpx2.AsyncClient, change: dict[str, Any], param: str | None, status: int
) -> None:
    answer = await http.post("/v1/audio/speech", json={"input": "hi"} | change)

    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert param is None or error["param"] == param
