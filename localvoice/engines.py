"""The two loaded models and the gates in front of them."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from localvoice.audio.model_files import ModelFiles
from localvoice.audio.transcriber import Transcriber
from localvoice.audio.voice import Voice
from localvoice.errors import NotReady
from localvoice.gate import Gate
from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

#: Loading takes two to three seconds on two cores.
_RETRY_AFTER_S = 2


@dataclass(frozen=True)
class Models:
    """Both models, ready for use."""

    transcriber: Transcriber
    voice: Voice


class Engines:
    """Loads the models once, in threads, and lends them to requests.

    Speech and transcription have threads of their own: a sentence never waits behind a
    recording.
    """

    def __init__(self, settings: Settings, files: ModelFiles) -> None:
        self._settings = settings
        self._files = files
        self._models: Models | None = None
        self.stopping = False
        self.stt = _gate("transcription", settings.stt_concurrency, settings)
        self.tts = _gate("speech", settings.tts_concurrency, settings)

    @property
    def is_ready(self) -> bool:
        """Whether both models are loaded."""
        return self._models is not None

    @property
    def models(self) -> Models:
        """The models. Raises NotReady until they are loaded."""
        if self._models is None:
            raise NotReady("the models are still loading", retry_after_s=_RETRY_AFTER_S)
        return self._models

    @property
    def is_busy(self) -> bool:
        """Whether a thread still works for somebody, even if they have left."""
        return self.stt.running + self.tts.running > 0

    async def load(self) -> None:
        """Load both models side by side. Raises whatever the libraries raise."""
        started = time.monotonic()
        transcriber, voice = await asyncio.gather(
            asyncio.to_thread(self._load_transcriber), asyncio.to_thread(self._load_voice)
        )
        self._models = Models(transcriber, voice)
        _log.info("models loaded", extra={"took_s": round(time.monotonic() - started, 3)})

    def _load_transcriber(self) -> Transcriber:
        return Transcriber(
            self._files.whisper_dir,
            concurrency=self._settings.stt_concurrency,
            cpu_threads=self._settings.cpu_threads,
        )

    def _load_voice(self) -> Voice:
        return Voice(self._files.piper_model, self._files.piper_config)

    def close(self) -> None:
        """Take no new work and tell running work to stop at its next step."""
        self.stopping = True
        self.stt.close()
        self.tts.close()


def _gate(name: str, slots: int, settings: Settings) -> Gate:
    return Gate(
        name,
        slots=slots,
        queue_limit=settings.queue_limit,
        queue_timeout_s=settings.queue_timeout_s,
    )
