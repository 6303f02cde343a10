"""``POST /v1/audio/speech``: text in, sound out, sentence by sentence as it is made."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from localvoice.api import sse
from localvoice.api.body import read_json, validate
from localvoice.audio import encoding, sentences
from localvoice.audio.encoding import Encoder
from localvoice.engines import Engines, Models
from localvoice.errors import TooLarge
from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

#: Sent for text with nothing to pronounce: a player handed no sample at all reports a fault.
_NOTHING_TO_SAY = ""
#: Token counts are estimates: four characters of text, fifty milliseconds of sound.
_CHARS_PER_TOKEN = 4
_SAMPLES_PER_TOKEN = encoding.SAMPLE_RATE // 20


class SpeechRequest(BaseModel):
    """OpenAI's fields. There is one voice: any voice and any model name mean it."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    input: str = Field(min_length=1)
    model: str | None = None
    voice: str | dict[str, Any] | None = None
    response_format: Literal["pcm", "wav", "mp3", "opus", "aac", "flac"] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0, allow_inf_nan=False)
    stream_format: Literal["audio", "sse"] = "audio"


class Speech:
    """One text on its way to becoming sound."""

    def __init__(self, asked: SpeechRequest, engines: Engines, timeout_s: float) -> None:
        self._models: Models = engines.models
        self._engines = engines
        self._timeout_s = timeout_s
        self._asked = asked
        # Slow speech is longer: shorter pieces keep the work for each the same.
        max_letters = int(sentences.MAX_LETTERS * min(1.0, asked.speed))
        self._pieces = sentences.split(asked.input, max_letters) or [_NOTHING_TO_SAY]
        self._spoken = 0
        self._encoder: Encoder = encoding.build_encoder(
            asked.response_format, self._models.voice.sample_rate
        )

    async def begin(self) -> bytes:
        """The first sentence's bytes. Raises ApiError while a status can still be sent."""
        return await self._next_bytes()

    async def stream(self, first: bytes) -> AsyncIterator[bytes]:
        """All bytes; each sentence is made when the one before it has been sent."""
        try:
            yield first
            while self._spoken < len(self._pieces):
                yield await self._next_bytes()
            yield self._encoder.finish()
        finally:
            _log.info(
                "speech",
                extra={
                    "sentences": len(self._pieces),
                    "sentences_made": self._spoken,
                    "audio_s": round(self._encoder.samples_out / encoding.SAMPLE_RATE, 2),
                },
            )

    async def events(self, first: bytes) -> AsyncIterator[bytes]:
        """The same as server-sent events, with the usage at the end."""
        async for data in self.stream(first):
            if data:
                audio = base64.b64encode(data).decode("ascii")
                yield sse.event({"type": "speech.audio.delta", "audio": audio})
        yield sse.event({"type": "speech.audio.done", "usage": self._usage()})

    async def _next_bytes(self) -> bytes:
        piece = self._pieces[self._spoken]

        def work() -> bytes:
            samples = self._models.voice.speak(piece, speed=self._asked.speed)
            return self._encoder.encode(samples)

        data = await self._engines.tts.run(
            work, timeout_s=self._timeout_s, admitted=self._spoken > 0
        )
        self._spoken += 1
        return data

    def _usage(self) -> dict[str, int]:
        tokens_in = max(1, len(self._asked.input) // _CHARS_PER_TOKEN)
        tokens_out = max(1, self._encoder.samples_out // _SAMPLES_PER_TOKEN)
        return {
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        }


async def create_speech(request: Request) -> Response:
    """Answers as soon as the first sentence is made; raises ApiError for what cannot be."""
    engines: Engines = request.app.state.engines
    settings: Settings = request.app.state.settings
    asked = validate(SpeechRequest, await read_json(request))
    if len(asked.input) > settings.max_input_chars:
        raise TooLarge(f"input is longer than {settings.max_input_chars} characters", param="input")
    speech = Speech(asked, engines, settings.tts_timeout_s)
    first = await speech.begin()
    if asked.stream_format == "sse":
        return StreamingResponse(
            speech.events(first), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS
        )
    media_type = encoding.FORMATS[asked.response_format].media_type
    return StreamingResponse(speech.stream(first), media_type=media_type)
