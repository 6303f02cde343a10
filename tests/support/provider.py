"""A provider for tests: real HTTP, OpenAI's wire format, any trouble on demand.

    async with provider() as one:
        one.heard = "What is two plus two?"
        one.reply = "Four."
        one.trouble[Stage.CHAT] = Trouble.HANG

What it says is a tone, as long as the text would take; what it hears is what the test wrote down.
"""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from typing import Any

from aiohttp import web

from tests.support.serving import serving

_RATE = 24_000
_CHAR_S = 0.05
_LONGEST_SPEECH_S = 20.0
#: Longer than any test waits.
_HANG_S = 600.0
_DROP_S = 0.1
#: In JSON a letter, as samples a sound.
_FLOOD = b"aa" * 32_000


class Stage(StrEnum):
    CHAT = "chat"
    HEARING = "hearing"
    SPEECH = "speech"


class Trouble(StrEnum):
    """What goes wrong with every request of a stage. A refused connection is a closed port."""

    HANG = "hang"  # taken, and never answered
    ERROR = "error"  # 500
    BUSY = "busy"  # 429
    DENIED = "denied"  # 401
    SLOW = "slow"  # the first byte comes after `slow_s`
    ALIVE = "alive"  # bytes come, now and then, that are no answer
    FLOOD = "flood"  # an answer without an end
    CUT = "cut"  # the connection breaks off in the middle of the answer
    GARBAGE = "garbage"  # 200, and nothing that could be understood


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `body` is JSON, or the form fields of an upload without the file."""

    stage: Stage
    body: dict[str, Any]
    headers: dict[str, str]
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A reply that is no words: the model wants a function called."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


Reply = str | ToolCall


@dataclass(slots=True, kw_only=True)
class Provider:
    """Where it is, how it answers, and what it was asked."""

    #: With the version, as OPENAI_BASE_URL wants it.
    url: str
    heard: str = "Hello there."
    #: The answer, or what makes it from the messages of the request.
    reply: Reply | Callable[[list[dict[str, Any]]], Reply] = "I see."
    trouble: dict[Stage, Trouble] = field(default_factory=dict)
    slow_s: float = 3.0
    #: How long its list of models takes, which nobody needs.
    models_take_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)

    def requests(self, stage: Stage) -> list[Asked]:
        """Return what one stage was asked."""
        return [one for one in self.asked if one.stage is stage]

    def answer(self, body: dict[str, Any]) -> Reply:
        """Return what the model says to a request."""
        return (
            self.reply if isinstance(self.reply, str | ToolCall) else self.reply(body["messages"])
        )


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Serve one on a free port of this machine."""
    app = web.Application(client_max_size=20_000_000)
    one = Provider(url="")
    app.router.add_post("/v1/chat/completions", partial(_chat, one))
    app.router.add_post("/v1/audio/transcriptions", partial(_hear, one))
    app.router.add_post("/v1/audio/speech", partial(_speak, one))
    app.router.add_get("/v1/models", partial(_models, one))
    async with serving(app) as address:
        one.url = f"http://{address}/v1"
        yield one


async def _models(one: Provider, _: web.Request) -> web.Response:
    await asyncio.sleep(one.models_take_s)
    return web.json_response({"object": "list", "data": []})


async def _chat(one: Provider, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (failure := await _begin(one, Stage.CHAT, request, body)) is not None:
        return failure
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await _pour(one, Stage.CHAT, response, b": ping\n\n", b"data: {")
    pieces = _pieces(one.answer(body))
    for number, piece in enumerate(pieces):
        await response.write(f"data: {json.dumps(piece)}\n\n".encode())
        if one.trouble.get(Stage.CHAT) is Trouble.CUT and number == 1:
            return _cut(request, response)
    await response.write(b"data: [DONE]\n\n")
    return response


async def _hear(one: Provider, request: web.Request) -> web.StreamResponse:
    form = await request.post()
    body = {name: value for name, value in form.items() if isinstance(value, str)}
    for upload in form.values():
        if isinstance(upload, web.FileField):
            upload.file.close()
    if (failure := await _begin(one, Stage.HEARING, request, body)) is not None:
        return failure
    if one.trouble.get(Stage.HEARING) is Trouble.CUT:
        response = web.StreamResponse(headers={"content-length": "1000"})
        await response.prepare(request)
        await response.write(b'{"text": "')
        return _cut(request, response)
    if one.trouble.get(Stage.HEARING) in {Trouble.ALIVE, Trouble.FLOOD}:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await _pour(one, Stage.HEARING, response, b" ", b'{"text": "')
    return web.json_response({"text": one.heard})


async def _speak(one: Provider, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (failure := await _begin(one, Stage.SPEECH, request, body)) is not None:
        return failure
    response = web.StreamResponse(headers={"content-type": "audio/pcm"})
    await response.prepare(request)
    await _pour(one, Stage.SPEECH, response, b"\x00\x00", b"")
    sound = _tone(min(len(body["input"]) * _CHAR_S, _LONGEST_SPEECH_S))
    if one.trouble.get(Stage.SPEECH) is Trouble.CUT:
        await response.write(sound[: len(sound) // 4 * 2])
        return _cut(request, response)
    await response.write(sound)
    return response


async def _begin(
    one: Provider, stage: Stage, request: web.Request, body: dict[str, Any]
) -> web.StreamResponse | None:
    """Note the request; answer it where its trouble leaves nothing to say."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    one.asked.append(Asked(stage=stage, body=body, headers=headers, at_s=time.monotonic()))
    match one.trouble.get(stage):
        case Trouble.HANG:
            await asyncio.sleep(_HANG_S)
        case Trouble.SLOW:
            await asyncio.sleep(one.slow_s)
        case Trouble.ERROR:
            return _failure(500, "server_error")
        case Trouble.BUSY:
            return _failure(429, "rate_limit_exceeded")
        case Trouble.DENIED:
            return _failure(401, "invalid_api_key")
        case Trouble.GARBAGE:
            return web.Response(body=b"\xff\x00<html>", content_type="text/html")
    return None


async def _pour(
    one: Provider, stage: Stage, response: web.StreamResponse, drop: bytes, beginning: bytes
) -> None:
    """Send what does not end, if that is the trouble, until the other side has enough of it."""
    trouble = one.trouble.get(stage)
    with suppress(ConnectionResetError):
        if trouble is Trouble.FLOOD:
            await response.write(beginning)
        while trouble in {Trouble.ALIVE, Trouble.FLOOD}:
            await response.write(drop if trouble is Trouble.ALIVE else _FLOOD)
            await asyncio.sleep(_DROP_S if trouble is Trouble.ALIVE else 0)


def _failure(status: int, code: str) -> web.Response:
    error = {"message": "as the test wished", "type": code, "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


def _pieces(reply: Reply) -> list[dict[str, Any]]:
    """Return the chunks of a streamed completion."""
    if isinstance(reply, ToolCall):
        function = {"name": reply.name, "arguments": json.dumps(reply.arguments)}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "tool_calls": [call]}]
        reason = "tool_calls"
    else:
        words = [f"{word} " for word in reply.split()]
        deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
        reason = "stop"
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": len(deltas),
        "total_tokens": 10 + len(deltas),
    }
    return [
        *(_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas),
        _chunk([{"index": 0, "delta": {}, "finish_reason": reason}]),
        _chunk([]) | {"usage": usage},
    ]


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "choices": choices,
    }


@cache
def _tone(seconds: float) -> bytes:
    """Return a tone of 440 Hz, 16-bit mono."""
    samples = (
        round(8000 * math.sin(2 * math.pi * 440 * n / _RATE)) for n in range(round(seconds * _RATE))
    )
    return b"".join(struct.pack("<h", sample) for sample in samples)
