"""More work than the machine can do at once: bounded, refused politely, never blocking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import numpy as np
import pytest

from tests.integration.localvoice import sounds
from tests.integration.localvoice.server import Server, running
from tests.integration.localvoice.waiting import eventually
from tests.support.plain import NO_TLS

HEAR = "/v1/audio/transcriptions"
SAY = "/v1/audio/speech"


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    """A server that does one thing at a time and lets nobody wait."""
    with running(queue_limit=0, stt_concurrency=1, tts_concurrency=1) as started:
        yield started


@pytest.fixture
async def web(narrow: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=narrow.url, timeout=60, verify=NO_TLS) as made:
        yield made


@pytest.fixture(scope="module")
def long_recording(spoken: sounds.Spoken) -> bytes:
    """Minutes of speech: seconds of work."""
    sentence = spoken("The quick brown fox jumps over the lazy dog.")
    return sounds.wav(np.tile(sentence, 70))


async def test_over_the_limit_is_429_and_health_still_answers(
    narrow: Server, web: httpx2.AsyncClient, long_recording: bytes
) -> None:
    """1. A long transcription runs. 2. Another is refused. 3. Health and speech are served.

    Result: all of that happened while the first one was still running.
    """
    first = asyncio.create_task(web.post(HEAR, files={"file": ("a.wav", long_recording)}))
    await eventually(lambda: narrow.load("transcription")["running"] == 1)

    refused = await web.post(HEAR, files={"file": ("a.wav", sounds.wav(sounds.silence(1)))})
    health = await web.get("/healthz")
    speech = await web.post(SAY, json={"input": "Hello.", "response_format": "pcm"})
    still_running = narrow.load("transcription")["running"]

    assert still_running == 1
    assert not first.done()
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert health.status_code == 200
    assert speech.status_code == 200
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    # The client is gone, so the work stops and the slot comes back.
    await eventually(lambda: narrow.load("transcription")["running"] == 0)
    after = await web.post(HEAR, files={"file": ("a.wav", sounds.wav(sounds.silence(1)))})
    assert after.status_code == 200


async def test_speech_over_the_limit_is_429(narrow: Server, web: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(web.post(SAY, json={"input": "One sentence to say. " * 5}) for _ in range(8))
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    await eventually(lambda: narrow.load("speech")["running"] == 0)


async def test_waiting_requests_are_served_in_the_end(
    http: httpx2.AsyncClient, spoken: sounds.Spoken
) -> None:
    recording = sounds.wav(spoken("My name is Ada."))
    answers = await asyncio.gather(
        *(http.post(HEAR, files={"file": ("a.wav", recording)}) for _ in range(6)),
        *(http.post(SAY, json={"input": "Hello there.", "response_format": "pcm"}) for _ in "1234"),
    )

    assert [answer.status_code for answer in answers] == [200] * 10
    assert {answer.json()["text"] for answer in answers[:6]} == {"My name is Ada."}


async def test_a_wait_in_the_queue_ends(long_recording: bytes) -> None:
    with running(queue_timeout_s=0.2) as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60, verify=NO_TLS) as http:
            first = asyncio.create_task(http.post(HEAR, files={"file": ("a", long_recording)}))
            await eventually(lambda: server.load("transcription")["running"] == 1)
            second = await http.post(HEAR, files={"file": ("a", sounds.wav(sounds.silence(1)))})
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    assert second.status_code == 429


async def test_work_that_takes_too_long_ends(long_recording: bytes) -> None:
    with running(stt_timeout_s=0.3) as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60, verify=NO_TLS) as http:
            answer = await http.post(HEAR, files={"file": ("a", long_recording)})
        await eventually(lambda: server.load("transcription")["running"] == 0)

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "timeout"
