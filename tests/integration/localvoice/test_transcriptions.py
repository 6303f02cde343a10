"""Recordings of every kind to text, through OpenAI's own client."""

from __future__ import annotations

import httpx2
import numpy as np
import openai
import pytest

from tests.integration.localvoice import sounds
from tests.integration.localvoice.sounds import Spoken, wav, words
from tests.support.recordings import RATE, Pcm, packed
from tests.support.speech import is_alike

QUESTION = "What is seven plus five?"


async def hear(client: openai.AsyncOpenAI, data: bytes, name: str = "file.wav") -> str:
    """What the server understands."""
    answer = await client.audio.transcriptions.create(file=(name, data), model="any-name")
    return answer.text


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        "My name is Ada.",
        "Hello there, how are you today?",
        "Please tell me a story.",
        "The quick brown fox jumps over the lazy dog.",
    ],
)
async def test_what_was_said_is_understood(
    client: openai.AsyncOpenAI, spoken: Spoken, text: str
) -> None:
    heard = await hear(client, wav(spoken(text)))

    assert words(heard) == words(text)


async def test_a_script_answer_is_understood_when_spoken(
    client: openai.AsyncOpenAI, spoken: Spoken
) -> None:
    """Ask the script, speak its answer, hear it again: what the end-to-end tests rely on."""
    for question, heard in (
        ("What is seven plus five?", "sevenplusfiveistwelve"),
        ("Spell the word hello", "hello"),
        ("Count from 5 to 9", "fivesixseveneightnine"),
    ):
        answer = await client.chat.completions.create(
            model="x", messages=[{"role": "user", "content": question}]
        )
        sound = wav(spoken(answer.choices[0].message.content or ""))

        assert "".join(words(await hear(client, sound))).endswith(heard)


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("webm", "libopus"),
        ("ogg", "libopus"),
        ("mp3", "libmp3lame"),
        ("flac", "flac"),
        ("mp4", "aac"),
        ("wav", "pcm_f32le"),
        ("wav", "pcm_mulaw"),
    ],
)
async def test_every_container_is_read(
    client: openai.AsyncOpenAI, spoken: Spoken, container: str, codec: str
) -> None:
    data = packed(spoken(QUESTION), container, codec)

    # The name is a lie on purpose: what counts is what is inside.
    heard = await hear(client, data, name="recording.bin")

    assert is_alike(heard, QUESTION), heard


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_other_sample_rates(client: openai.AsyncOpenAI, spoken: Spoken, rate: int) -> None:
    samples = spoken(QUESTION)
    at = np.linspace(0, len(samples) - 1, len(samples) * rate // RATE)
    resampled = np.interp(at, np.arange(len(samples)), samples).astype(np.int16)

    heard = await hear(client, wav(resampled, rate))

    assert is_alike(heard, QUESTION), heard


@pytest.mark.parametrize(
    "samples",
    [
        sounds.silence(0.01),
        sounds.silence(2),
        sounds.noise(3, 0.02),
        sounds.noise(3, 0.3),
        sounds.hum(3, 50),
        sounds.hum(3, 440),
    ],
    ids=["10 ms", "silence", "faint noise", "loud noise", "mains hum", "tone"],
)
async def test_nothing_said_is_no_text(client: openai.AsyncOpenAI, samples: Pcm) -> None:
    assert await hear(client, wav(samples)) == ""


async def test_a_cut_off_upload_is_understood_as_far_as_it_goes(
    client: openai.AsyncOpenAI, spoken: Spoken
) -> None:
    samples = np.concatenate([spoken(QUESTION), sounds.silence(2)])
    for data in (wav(samples), packed(samples, "webm", "libopus")):
        heard = await hear(client, data[: len(data) * 3 // 4])

        # Two of its first three words: the voice is a little different every time.
        assert is_alike(" ".join(words(heard)[:3]), "What is seven", 0.6), heard


async def test_verbose_json_has_times_and_words(client: openai.AsyncOpenAI, spoken: Spoken) -> None:
    last = spoken("That is all for today.")
    samples = np.concatenate([spoken(QUESTION), sounds.silence(1.5), last])

    answer = await client.audio.transcriptions.create(
        file=("file.wav", wav(samples)),
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
    )

    assert answer.language == "english"
    assert answer.duration == pytest.approx(len(samples) / RATE, abs=0.1)
    assert answer.segments
    assert answer.segments[0].start < answer.segments[-1].end <= answer.duration + 0.5
    assert answer.words
    starts = [word.start for word in answer.words]
    assert starts == sorted(starts)
    assert [words(word.word)[0] for word in answer.words][-1] == "today"


@pytest.mark.parametrize(
    ("wanted", "begins"), [("text", "What is"), ("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n00:")]
)
async def test_plain_formats(
    client: openai.AsyncOpenAI, spoken: Spoken, wanted: str, begins: str
) -> None:
    answer = await client.audio.transcriptions.create(
        file=("file.wav", wav(spoken(QUESTION))),
        model="whisper-1",
        response_format=wanted,  # type: ignore[call-overload]
    )

    assert str(answer).startswith(begins)


@pytest.mark.parametrize("language", ["en", "en-US", "English", "EN"])
async def test_english_by_any_name(http: httpx2.AsyncClient, spoken: Spoken, language: str) -> None:
    answer = await http.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", wav(spoken(QUESTION)))},
        data={"language": language, "prompt": "A sum.", "temperature": "0.2", "model": "x"},
    )

    assert answer.status_code == 200
    assert is_alike(answer.json()["text"], QUESTION), answer.json()
    assert answer.json()["usage"]["type"] == "duration"


async def test_a_very_long_prompt_is_cut_not_refused(
    http: httpx2.AsyncClient, spoken: Spoken
) -> None:
    answer = await http.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", wav(spoken(QUESTION)))},
        data={"prompt": "xylophone zebra 123 \U0001f600 " * 500},
    )

    assert answer.status_code == 200


def playlist(scheme: str) -> bytes:
    """A file that asks its reader to open another."""
    return f"#EXTM3U\n#EXTINF:1,\n{scheme}\n#EXT-X-ENDLIST\n".encode()


def low_rate_wav() -> bytes:
    """One frame that would be hours after resampling."""
    return wav(sounds.silence(1), rate=1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_audio"),
        (b"hello, this is not audio at all", "invalid_audio"),
        (b"RIFF\xff\xff\xff\xffWAVE", "invalid_audio"),
        (wav(sounds.silence(0)), "empty_audio"),
        (wav(sounds.silence(1))[:30], "invalid_audio"),
        (b"\x1a\x45\xdf\xa3" + bytes(500), "invalid_audio"),
        (b"OggS" + bytes(500), "invalid_audio"),
        (b"ID3" + bytes(500), "invalid_audio"),
        (b"\xff\xfb" + bytes(5000), "invalid_audio"),
        (b"\0\0\0\x18ftypmp42" + bytes(500), "invalid_audio"),
        (playlist("/etc/hostname"), "invalid_audio"),
        (playlist("http://127.0.0.1:9/x"), "invalid_audio"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "invalid_audio"),
        (low_rate_wav(), "invalid_audio"),
    ],
)
async def test_what_is_not_audio_is_refused(
    http: httpx2.AsyncClient, data: bytes, code: str
) -> None:
    answer = await http.post("/v1/audio/transcriptions", files={"file": ("a.wav", data)})

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == "file"
    assert error["code"] in {code, "empty_audio"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "de"),
        ("language", "klingon"),
        ("temperature", "hot"),
        ("temperature", "nan"),
        ("temperature", "2"),
        ("response_format", "diarized_json"),
        ("timestamp_granularities[]", "letter"),
        ("stream", "true"),
    ],
)
async def test_bad_fields_are_named(http: httpx2.AsyncClient, field: str, value: str) -> None:
    answer = await http.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", wav(sounds.silence(0.1)))},
        data={field: value},
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field.removesuffix("[]")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (b"x=1", "application/x-www-form-urlencoded", 415),
        (b"garbage", "multipart/form-data", 400),
        (b"garbage", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF',
            "multipart/form-data; boundary=b",
            400,
        ),
    ],
)
async def test_broken_forms(
    http: httpx2.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await http.post(
        "/v1/audio/transcriptions", content=body, headers={"Content-Type": content_type}
    )

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
