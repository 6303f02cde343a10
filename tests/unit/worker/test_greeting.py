"""The spoken greeting as a file."""

from __future__ import annotations

import logging
import os
import wave
from pathlib import Path

import pytest
from livekit.agents import APIStatusError
from pydantic import SecretStr

from worker.settings import WorkerSettings
from worker.voice import greeting
from worker.voice.greeting import Clip, clip_path, keep_clips, load_clip, load_greeting

CLIP = Clip(b"\x01\x00" * 3000, 24_000)


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 40),
        apology="",
        greeting_cache_dir=tmp_path / "cache",
    )


def path_of(settings: WorkerSettings) -> Path:
    """Return where the greeting is kept."""
    return clip_path(settings, settings.agent_greeting)


def test_a_saved_clip_is_read_again(settings: WorkerSettings) -> None:
    assert load_greeting(settings) is None
    CLIP.save(path_of(settings))
    assert load_greeting(settings) == CLIP
    assert [path.suffix for path in settings.greeting_cache_dir.iterdir()] == [".wav"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agent_greeting", "Good day."),
        ("tts_voice", "another"),
        ("tts_model", "another"),
        ("openai_base_url", "http://127.0.0.1:1/v1"),
        ("tts_base_url", "http://127.0.0.1:1/v1"),
    ],
)
def test_what_changes_the_sound_changes_the_file(
    settings: WorkerSettings, field: str, value: str
) -> None:
    assert path_of(settings.model_copy(update={field: value})) != path_of(settings)


def test_who_greets_nobody_has_no_clip(settings: WorkerSettings) -> None:
    silent = settings.model_copy(update={"agent_greeting": ""})
    CLIP.save(path_of(silent))
    assert load_greeting(silent) is None


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 10])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.wav"
    path.write_bytes(content)
    assert Clip.load(path) is None


def test_stereo_is_not_what_we_made(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(b"\x00" * 400)
    assert Clip.load(path) is None


async def test_all_of_the_clip_is_played() -> None:
    frames = [frame async for frame in CLIP.frames()]
    assert b"".join(bytes(frame.data) for frame in frames) == CLIP.pcm
    assert {frame.sample_rate for frame in frames} == {24_000}


async def test_clips_that_nobody_uses_any_more_are_removed(settings: WorkerSettings) -> None:
    for number in range(30):
        old = settings.greeting_cache_dir / f"{number}.wav"
        CLIP.save(old)
        os.utime(old, (number, number))
    CLIP.save(path_of(settings))
    os.utime(path_of(settings), (0, 0))

    await keep_clips(settings)

    left = {path.stem for path in settings.greeting_cache_dir.iterdir()}
    assert left == {path_of(settings).stem, *(str(number) for number in range(11, 30))}


@pytest.mark.parametrize(
    "error",
    [
        APIStatusError("Incorrect API key: sk-hidden-key", status_code=401),
        APIStatusError("Bearer sk-hidden-key may not do this", status_code=403),
        PermissionError(13, "Permission denied"),
    ],
)
async def test_what_cannot_get_better_is_said_once(
    settings: WorkerSettings,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*_: object) -> Clip:
        raise error

    monkeypatch.setattr(greeting, "_speak", fail)
    key = SecretStr("sk-hidden-key")

    with caplog.at_level(logging.ERROR):
        await keep_clips(settings.model_copy(update={"openai_api_key": key}))

    (record,) = caplog.records
    fields = vars(record)
    assert fields["status"] == getattr(error, "status_code", None)
    assert fields["error"]
    assert "sk-hidden-key" not in fields["error"]


async def test_a_provider_that_is_down_is_asked_again(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Exception | Clip] = [
        APIStatusError("busy", status_code=503),
        TimeoutError(),
        CLIP,
    ]

    async def speak(*_: object) -> Clip:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(greeting, "_speak", speak)
    monkeypatch.setattr(greeting, "_RETRY_AFTER_S", (0.0,))

    await keep_clips(settings)

    assert load_greeting(settings) == CLIP


async def test_the_apology_is_made_like_the_greeting(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def speak(_: object, text: str, __: object) -> Clip:
        asked.append(text)
        return CLIP

    monkeypatch.setattr(greeting, "_speak", speak)
    settings = settings.model_copy(update={"apology": "I am sorry."})

    await keep_clips(settings)
    await keep_clips(settings)

    assert asked == [settings.agent_greeting, "I am sorry."]
    assert load_clip(settings, "I am sorry.") == CLIP
    assert load_clip(settings, "I am sorry.", voice="another") is None
