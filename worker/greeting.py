"""The first sentence: spoken once, kept as a file, played in every call without a provider."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import tempfile
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from livekit import rtc
from livekit.agents import APIConnectOptions

from worker.pipeline import build_client, build_tts
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 2
_FRAME_MS = 50
_MAX_BYTES = 20_000_000
_RETRY_AFTER_S = (2.0, 5.0, 15.0, 60.0)


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
            delay_s = _RETRY_AFTER_S[min(attempt, len(_RETRY_AFTER_S) - 1)]
            logger.warning(
                "greeting could not be made",
                extra={"error_type": type(error).__name__, "retry_after_s": delay_s},
            )
            attempt += 1
            await asyncio.sleep(delay_s)


async def _speak(settings: WorkerSettings) -> Clip:
    once = APIConnectOptions(max_retry=0, timeout=settings.provider_timeout_s)
    async with build_client(settings) as client, asyncio.timeout(4 * settings.provider_timeout_s):
        speech = build_tts(settings, client).synthesize(settings.agent_greeting, conn_options=once)
        frame = await speech.collect()
    if not frame.samples_per_channel:
        raise ValueError("the provider spoke nothing")
    return Clip(bytes(frame.data), frame.sample_rate)
