"""Sentences that are always the same: spoken once, kept as files, played without a provider."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import tempfile
import wave
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError

from telemetry.redaction import hide, redact_text
from worker.personas.cast import Cast
from worker.voice.settings import ProviderSettings, Stage

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_FRAME_MS = 50
_MAX_BYTES = 20_000_000
_RETRY_AFTER_S = (2.0, 5.0, 15.0, 60.0)
_KEPT_CLIPS = 200
#: Nobody but a person can help: a key that is refused, a directory that cannot be written.
_REFUSED = frozenset({401, 403})
_UNWRITABLE = frozenset({errno.EACCES, errno.EEXIST, errno.ENOTDIR, errno.EPERM, errno.EROFS})
_MAX_LOGGED_CHARS = 300


@dataclass(frozen=True, slots=True)
class Clip:
    """Decoded speech: 16-bit mono samples."""

    pcm: bytes = field(repr=False)
    sample_rate: int

    async def frames(self, when: asyncio.Event | None = None) -> AsyncIterator[rtc.AudioFrame]:
        """Yield the clip piece by piece, not before `when` is set."""
        if when is not None:
            await when.wait()
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


def clip_path(settings: ProviderSettings, text: str) -> Path:
    """Return where these words are kept: another voice has another file."""
    mouth = settings.endpoints(Stage.SPEAKING)[0]
    parts = [text, mouth.base_url, mouth.model, mouth.voice]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return settings.greeting_cache_dir / f"{name}.wav"


def load_clip(settings: ProviderSettings, text: str) -> Clip | None:
    """Return these words, spoken, if the clip has been made."""
    return Clip.load(clip_path(settings, text)) if text else None


async def keep_clips(cast: Cast) -> None:
    """Make the clips of all personas, unless they are there.

    Tries again for as long as the provider is down.
    """
    roles = (cast.default, *(role for role in cast.roles.values() if role is not cast.default))
    await asyncio.gather(*(_keep_all(role.settings, role.clips) for role in roles))
    used = [clip_path(role.settings, text) for role in roles for text in role.clips]
    if used:
        await asyncio.to_thread(prune, used)


async def _keep_all(settings: ProviderSettings, texts: Iterable[str]) -> None:
    for text in texts:
        if not await keep_clip(settings, text):
            return


async def keep_clip(settings: ProviderSettings, text: str) -> bool:
    """Make a clip unless it is there; False when trying again is of no use."""
    attempt = 0
    while load_clip(settings, text) is None:
        try:
            clip = await _speak(settings, text)
            await asyncio.to_thread(clip.save, clip_path(settings, text))
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
    return {
        "error_type": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "error": redact_text(hide(str(error), [key]))[:_MAX_LOGGED_CHARS],
    }


async def _speak(settings: ProviderSettings, text: str) -> Clip:
    # Not at the top: the worker process needs the provider's client only where a clip is missing,
    # and importing it takes as long as all the rest.
    from worker.voice.clients import Connections, ModelClient  # noqa: PLC0415
    from worker.voice.parts import build_tts  # noqa: PLC0415

    once = APIConnectOptions(max_retry=0, timeout=settings.provider_timeout_s)
    mouth = settings.endpoints(Stage.SPEAKING)[0]
    connections = Connections()
    client = ModelClient(mouth, connections.http(mouth), patience_s=settings.provider_timeout_s)
    try:
        async with asyncio.timeout(4 * settings.provider_timeout_s):
            speech = build_tts(mouth, client).synthesize(text, conn_options=once)
            frame = await speech.collect()
    finally:
        await connections.aclose()
    if not frame.samples_per_channel:
        raise ValueError("the provider spoke nothing")
    return Clip(bytes(frame.data), frame.sample_rate)
