"""Words that are spoken once, kept as files, and played in calls without a provider.

The first sentence, which is to come at once, and the apology for when no provider answers.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import tempfile
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError

from telemetry.redaction import HIDDEN, redact_text
from worker.settings import WorkerSettings
from worker.voice.clients import Connections, ModelClient
from worker.voice.parts import build_tts
from worker.voice.settings import ProviderSettings, Stage

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_FRAME_MS = 50
_MAX_BYTES = 20_000_000
_RETRY_AFTER_S = (2.0, 5.0, 15.0, 60.0)
_KEPT_CLIPS = 20
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


def clip_path(settings: ProviderSettings, text: str, voice: str | None = None) -> Path:
    """Return where these words are kept, spoken with a voice: another voice has another file."""
    mouth = settings.endpoints(Stage.SPEAKING)[0]
    parts = [text, mouth.base_url, mouth.model, voice or mouth.voice]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return settings.greeting_cache_dir / f"{name}.wav"


def load_clip(settings: ProviderSettings, text: str, voice: str | None = None) -> Clip | None:
    """Return these words, spoken, if the clip has been made."""
    return Clip.load(clip_path(settings, text, voice)) if text else None


def load_greeting(settings: WorkerSettings) -> Clip | None:
    """Return the spoken greeting, if it has been made."""
    return load_clip(settings, settings.agent_greeting)


async def keep_clips(settings: WorkerSettings) -> None:
    """Make the greeting and the apology, unless they are there.

    Tries again for as long as the provider is down.
    """
    texts = [text for text in (settings.agent_greeting, settings.apology) if text]
    for text in texts:
        if not await keep_clip(settings, text):
            return
    await asyncio.to_thread(prune, [clip_path(settings, text) for text in texts])


async def keep_clip(settings: ProviderSettings, text: str, voice: str | None = None) -> bool:
    """Make a clip unless it is there; False when trying again is of no use."""
    attempt = 0
    while load_clip(settings, text, voice) is None:
        try:
            clip = await _speak(settings, text, voice)
            await asyncio.to_thread(clip.save, clip_path(settings, text, voice))
            logger.info("clip made", extra={"clip_bytes": len(clip.pcm)})
        except Exception as error:  # noqa: BLE001 - a background loop: calls work without the clip
            if is_hopeless(error):
                logger.error("clip cannot be made", extra=_describe(error, settings))  # noqa: TRY400 - the message says it
                return False
            delay_s = _RETRY_AFTER_S[min(attempt, len(_RETRY_AFTER_S) - 1)]
            fields = _describe(error, settings) | {"retry_after_s": delay_s}
            logger.warning("clip could not be made", extra=fields)
            attempt += 1
            await asyncio.sleep(delay_s)
    return True


def prune(used: Sequence[Path]) -> None:
    """Remove all clips but those that were used last, by the start of a worker."""
    with suppress(OSError):
        for path in used:
            os.utime(path)
        clips = sorted(used[0].parent.glob("*.wav"), key=lambda path: path.stat().st_mtime)
        for path in clips[:-_KEPT_CLIPS]:
            path.unlink(missing_ok=True)


def is_hopeless(error: Exception) -> bool:
    """Say whether trying again is of no use."""
    if isinstance(error, APIStatusError):
        return error.status_code in _REFUSED
    return isinstance(error, OSError) and error.errno in _UNWRITABLE


def _describe(error: Exception, settings: ProviderSettings) -> dict[str, object]:
    """Return what a log may say of an error; some providers repeat the key that they refuse."""
    key = settings.endpoints(Stage.SPEAKING)[0].api_key.get_secret_value()
    text = str(error)
    if len(key) >= _SHORTEST_KEY:
        text = text.replace(key, HIDDEN)
    return {
        "error_type": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "error": redact_text(text)[:_MAX_LOGGED_CHARS],
    }


async def _speak(settings: ProviderSettings, text: str, voice: str | None) -> Clip:
    once = APIConnectOptions(max_retry=0, timeout=settings.provider_timeout_s)
    mouth = settings.endpoints(Stage.SPEAKING)[0]
    connections = Connections()
    client = ModelClient(mouth, connections.http(mouth), patience_s=settings.provider_timeout_s)
    try:
        async with asyncio.timeout(4 * settings.provider_timeout_s):
            speech = build_tts(mouth, client, voice).synthesize(text, conn_options=once)
            frame = await speech.collect()
    finally:
        await connections.aclose()
    if not frame.samples_per_channel:
        raise ValueError("the provider spoke nothing")
    return Clip(bytes(frame.data), frame.sample_rate)
