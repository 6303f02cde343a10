"""The spoken greeting as a file."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.greeting import Clip, clip_path, load_greeting
from worker.settings import WorkerSettings

CLIP = Clip(b"\x01\x00" * 3000, 24_000)


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 40),
        greeting_cache_dir=tmp_path / "cache",
    )


def test_a_saved_clip_is_read_again(settings: WorkerSettings) -> None:
    assert load_greeting(settings) is None
    CLIP.save(clip_path(settings))
    assert load_greeting(settings) == CLIP
    assert [path.suffix for path in settings.greeting_cache_dir.iterdir()] == [".wav"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agent_greeting", "Good day."),
        ("tts_voice", "another"),
        ("tts_model", "another"),
        ("openai_base_url", "http://127.0.0.1:1/v1"),
    ],
)
def test_what_changes_the_sound_changes_the_file(
    settings: WorkerSettings, field: str, value: str
) -> None:
    assert clip_path(settings.model_copy(update={field: value})) != clip_path(settings)


def test_who_greets_nobody_has_no_clip(settings: WorkerSettings) -> None:
    silent = settings.model_copy(update={"agent_greeting": ""})
    CLIP.save(clip_path(silent))
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
