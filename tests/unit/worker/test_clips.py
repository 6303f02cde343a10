"""Sentences that are always the same, as files."""

from __future__ import annotations

import logging
import os
import wave
from pathlib import Path

import pytest
from livekit.agents import APIStatusError
from pydantic import SecretStr

from worker.personas.cast import Cast
from worker.settings import WorkerSettings
from worker.voice import clips
from worker.voice.clips import Clip, clip_path, keep_clips, load_clip

HELLO = "Hello!"
CLIP = Clip(b"\x01\x00" * 3000, 24_000)


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    personas = tmp_path / "personas"
    personas.mkdir()
    (personas / "assistant.toml").write_text('instructions = "Be nice."')
    return WorkerSettings(
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 40),
        personas_dir=personas,
        greeting_cache_dir=tmp_path / "cache",
        agent_greeting=HELLO,
    )


def cast_of(settings: WorkerSettings, *, others: str = "") -> Cast:
    """Return one persona, which says nothing but its greeting, and `others`."""
    quiet = {"resume_greeting": others, "apology": ""}
    return Cast.of(settings.model_copy(update=quiet), ())


def path_of(settings: WorkerSettings) -> Path:
    """Return where the greeting is kept."""
    return clip_path(settings, settings.agent_greeting or "")


def test_a_saved_clip_is_read_again(settings: WorkerSettings) -> None:
    assert load_clip(settings, HELLO) is None
    CLIP.save(path_of(settings))
    assert load_clip(settings, HELLO) == CLIP
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
    assert load_clip(silent, "") is None


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
    for number in range(300):
        old = settings.greeting_cache_dir / f"{number}.wav"
        CLIP.save(old)
        os.utime(old, (number, number))
    CLIP.save(path_of(settings))
    os.utime(path_of(settings), (0, 0))

    await keep_clips(cast_of(settings))

    left = {path.stem for path in settings.greeting_cache_dir.iterdir()}
    assert left == {path_of(settings).stem, *(str(number) for number in range(101, 300))}


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

    monkeypatch.setattr(clips, "_speak", fail)
    key = SecretStr("sk-hidden-key")

    with caplog.at_level(logging.ERROR):
        await keep_clips(cast_of(settings.model_copy(update={"openai_api_key": key})))

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

    monkeypatch.setattr(clips, "_speak", speak)
    monkeypatch.setattr(clips, "_RETRY_AFTER_S", (0.0,))

    await keep_clips(cast_of(settings))

    assert load_clip(settings, HELLO) == CLIP


async def test_all_that_a_persona_says_word_by_word_is_made_once(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def speak(_: object, text: str) -> Clip:
        asked.append(text)
        return CLIP

    monkeypatch.setattr(clips, "_speak", speak)
    await keep_clips(cast_of(settings, others="I'm back."))
    await keep_clips(cast_of(settings, others="I'm back."))

    assert asked == [HELLO, "I'm back."]
    assert load_clip(settings, "I'm back.") == CLIP
    other = settings.model_copy(update={"tts_voice": "another"})
    assert load_clip(other, "I'm back.") is None


async def test_a_voice_that_cannot_be_had_keeps_nobody_else_silent(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.personas_dir / "other.toml").write_text(
        'instructions = "Be odd."\ngreeting = "Good day."\nvoice = "nobody"'
    )

    async def speak(of: WorkerSettings, _: str) -> Clip:
        if of.tts_voice == "nobody":
            raise APIStatusError("no such voice", status_code=403)
        return CLIP

    monkeypatch.setattr(clips, "_speak", speak)
    cast = cast_of(settings)
    await keep_clips(cast)
    assert load_clip(settings, HELLO) == CLIP
    assert load_clip(cast.role("other").settings, "Good day.") is None
