"""The first sentence: spoken once, kept as a file, played in every call without a provider."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import tempfile
import wave
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError

from telemetry.redaction import HIDDEN, redact_text
from worker.personas.cast import Cast
from worker.settings import WorkerSettings
from worker.voice.pipeline import build_client, build_tts

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_FRAME_MS = 50
_MAX_BYTES = 20_000_000
_RETRY_AFTER_S = (2.0, 5.0, 15.0, 60.0)
#: More than a worker has personas, and other workers may share the folder.
_KEPT_CLIPS = 200
#: Nobody but a person can help: a key that is refused, a directory that cannot be written.
_REFUSED = frozenset({401, 403})
_UNWRITABLE = frozenset({errno.EACCES, errno.EEXIST, errno.ENOTDIR, errno.EPERM, errno.EROFS})
_MAX_LOGGED_CHARS = 300
_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """Decoded speech: 16-bit mono samples."""

    pcm: bytes = field(repr=False)
    sample_rate: int

    async def frames(self) -> AsyncIterator[rtc.AudioFrame]:
        """Yield the clip piece by piece."""
        step = self.sample_rate * _FRAME_MS // 1000 * _SAMPLE_BYTES
        for start in range(0, len(self.pcm), step):
            piece = self.pcm[start : start + step]
            yield rtc.AudioFrame(piece, self.sample_rate, 1, len(piece) // _SAMPLE_BYTES)

    def save(self, path: Path) -> None:
        """Write the clip; readers see all of it or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
        try:
            with os.fdopen(handle, "wb") as file, wave.open(file, "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(_SAMPLE_BYTES)
                out.setframerate(self.sample_rate)
                out.writeframes(self.pcm)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read a clip; None when there is none, or not one that can be played."""
        try:
            if path.stat().st_size > _MAX_BYTES:
                return None
            with wave.open(str(path), "rb") as file:
                if (file.getnchannels(), file.getsampwidth()) != (1, _SAMPLE_BYTES):
                    return None
                return cls(file.readframes(file.getnframes()), file.getframerate())
        except (OSError, EOFError, wave.Error):
            return None


def clip_path(settings: WorkerSettings) -> Path:
    """Return where the greeting of these settings is kept: another voice has another file."""
    parts = [
        settings.agent_greeting,
        settings.openai_base_url,
        settings.tts_model,
        settings.tts_voice,
    ]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return settings.greeting_cache_dir / f"{name}.wav"


def load_greeting(settings: WorkerSettings) -> Clip | None:
    """Return the spoken greeting, if it has been made."""
    return Clip.load(clip_path(settings)) if settings.agent_greeting else None


async def keep_greeting(settings: WorkerSettings) -> None:
    """Make the greeting unless it is there; try again for as long as the provider is down."""
    attempt = 0
    while settings.agent_greeting and load_greeting(settings) is None:
        try:
            clip = await _speak(settings)
            await asyncio.to_thread(clip.save, clip_path(settings))
            logger.info("greeting made", extra={"clip_bytes": len(clip.pcm)})
        except Exception as error:  # noqa: BLE001 - a background loop: calls work without the clip
            if is_hopeless(error):
                logger.error("greeting cannot be made", extra=_describe(error, settings))  # noqa: TRY400 - the message says it
                return
            delay_s = _RETRY_AFTER_S[min(attempt, len(_RETRY_AFTER_S) - 1)]
            fields = _describe(error, settings) | {"retry_after_s": delay_s}
            logger.warning("greeting could not be made", extra=fields)
            attempt += 1
            await asyncio.sleep(delay_s)
    if settings.agent_greeting:
        await asyncio.to_thread(prune, clip_path(settings))


async def keep_greetings(cast: Cast) -> None:
    """Make the greetings of all personas, the default one's first."""
    roles = (cast.default, *(role for role in cast.roles.values() if role is not cast.default))
    await asyncio.gather(*(keep_greeting(role.settings) for role in roles))


def prune(used: Path) -> None:
    """Remove all clips but those that were used last, by the start of a worker."""
    with suppress(OSError):
        os.utime(used)
        clips = sorted(used.parent.glob("*.wav"), key=lambda path: path.stat().st_mtime)
        for path in clips[:-_KEPT_CLIPS]:
            path.unlink(missing_ok=True)


def is_hopeless(error: Exception) -> bool:
    """Say whether trying again is of no use."""
    if isinstance(error, APIStatusError):
        return error.status_code in _REFUSED
    return isinstance(error, OSError) and error.errno in _UNWRITABLE


def _describe(error: Exception, settings: WorkerSettings) -> dict[str, object]:
    """Return what a log may say of an error; some providers repeat the key that they refuse."""
    text, key = str(error), settings.openai_api_key.get_secret_value()
    if len(key) >= _SHORTEST_KEY:
        text = text.replace(key, HIDDEN)
    return {
        "error_type": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "error": redact_text(text)[:_MAX_LOGGED_CHARS],
    }


async def _speak(settings: WorkerSettings) -> Clip:
    once = APIConnectOptions(max_retry=0, timeout=settings.provider_timeout_s)
    async with build_client(settings) as client, asyncio.timeout(4 * settings.provider_timeout_s):
        speech = build_tts(settings, client).synthesize(
            settings.agent_greeting or "", conn_options=once
        )
        frame = await speech.collect()
    if not frame.samples_per_channel:
        raise ValueError("the provider spoke nothing")
    return Clip(bytes(frame.data), frame.sample_rate)
