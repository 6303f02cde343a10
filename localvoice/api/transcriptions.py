"""``POST /v1/audio/transcriptions``: a recording in, text out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from localvoice.api import subtitles
from localvoice.api.upload import Upload, read_upload
from localvoice.audio.decoding import decode
from localvoice.audio.transcriber import Transcript, Wish, language_code
from localvoice.engines import Engines
from localvoice.settings import Settings


async def create_transcription(request: Request) -> Response:
    """Answers when all is transcribed; raises ApiError for what cannot be."""
    engines: Engines = request.app.state.engines
    settings: Settings = request.app.state.settings
    models = engines.models
    # Taken before the upload is read: what waits in memory is bounded, too.
    with engines.stt.place():
        upload = await read_upload(request, max_bytes=settings.max_upload_bytes)
        wish = _wish(upload, models.transcriber.languages)
        async with _watched(request) as gone:

            def cancelled() -> bool:
                return gone.is_set() or engines.stopping

            def work() -> Transcript:
                samples = decode(upload.data, max_audio_s=settings.max_audio_s, cancelled=cancelled)
                return models.transcriber.transcribe(samples, wish, cancelled=cancelled)

            transcript = await engines.stt.run(
                work, timeout_s=settings.stt_timeout_s, admitted=True
            )
    return _render(transcript, upload)


def _wish(upload: Upload, known: frozenset[str]) -> Wish:
    languages = [language_code(name, known) for name in upload.languages]
    return Wish(
        language=languages[0] if languages else None,
        prompt=upload.prompt,
        temperature=upload.temperature,
        timestamps=upload.wants_timestamps,
        word_timestamps="word" in upload.granularities,
    )


@asynccontextmanager
async def _watched(request: Request) -> AsyncIterator[threading.Event]:
    """An event that is set when the client has gone, or when the block is left.

    Raises ClientDisconnect out of whatever the block waits for, so that a place in the queue
    is given up, too.
    """
    gone = threading.Event()
    handler = asyncio.current_task()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()
        if handler is not None:
            handler.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield gone
    except asyncio.CancelledError:
        # Ours only if the client left and nobody else cancels as well.
        if gone.is_set() and handler is not None and handler.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        # Reached on timeouts as well: the thread must not go on for nobody.
        gone.set()
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def _render(transcript: Transcript, upload: Upload) -> Response:
    if upload.response_format == "text":
        return Response(transcript.text + "\n", media_type="text/plain")
    if upload.response_format == "srt":
        return Response(subtitles.srt(transcript.segments), media_type="application/x-subrip")
    if upload.response_format == "vtt":
        return Response(subtitles.vtt(transcript.segments), media_type="text/vtt")
    usage = {"type": "duration", "seconds": transcript.duration_s}
    if upload.response_format == "json":
        return JSONResponse({"text": transcript.text, "usage": usage})
    return JSONResponse(subtitles.verbose(transcript, upload.granularities) | {"usage": usage})
