"""A provider for the benchmark: OpenAI's wire format, always the same answer, at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.serving import serving

ANSWER = "I see."
#: A fifth of a second of silence: 24 kHz, 16 bit, mono.
_SOUND = b"\0" * 9_600


@asynccontextmanager
async def running_provider() -> AsyncIterator[str]:
    """Serve until the block is left; yield what OPENAI_BASE_URL is to be."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _answer)
    app.router.add_post("/v1/audio/transcriptions", _hear)
    app.router.add_post("/v1/audio/speech", _speak)
    app.router.add_get("/v1/models", no_models)
    async with serving(app) as address:
        yield f"http://{address}/v1"


async def _answer(_: web.Request) -> web.Response:
    return chat_answer(ANSWER)


def chat_answer(text: str) -> web.Response:
    """Return an answer of a language model, as a stream of events."""
    pieces = [{"role": "assistant", "content": text}, {}]
    chunks = [
        {
            "id": "bench",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "delta": piece, "finish_reason": None if piece else "stop"}],
        }
        for piece in pieces
    ]
    lines = [json.dumps(chunk) for chunk in chunks] + ["[DONE]"]
    body = "".join(f"data: {line}\n\n" for line in lines)
    return web.Response(text=body, content_type="text/event-stream")


async def _hear(_: web.Request) -> web.Response:
    return web.json_response({"text": ""})


async def _speak(_: web.Request) -> web.Response:
    return web.Response(body=_SOUND, content_type="audio/pcm")


async def no_models(_: web.Request) -> web.Response:
    """Answer with an empty list: who asks only opens a connection."""
    return web.json_response({"object": "list", "data": []})
