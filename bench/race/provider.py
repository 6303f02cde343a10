"""The provider of the race, in a process of its own: `python -m bench.race.provider --port N`.

OpenAI's wire format, always the same answer, at once. It speaks in a tone, as long as the text
would take, so that one hears when it begins. It is no part of the benchmark's process, which its
callers keep busy. `GET /took` says how long its answers took, in ms, and forgets them.
"""

from __future__ import annotations

import argparse
import math
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from aiohttp import web

from bench.provider import chat_answer, no_models
from bench.race.words import ANSWER, CHAR_S, HEARD
from bench.servers import running
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO

_RATE = 24_000
_TONE_HZ = 440.0
_TONE_LEVEL = 8_000.0
_LONGEST_S = 20.0
_TOOK = web.AppKey("took", list[float])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def running_provider(
    python: str, variables: dict[str, str], folder: Path
) -> AsyncIterator[str]:
    """Serve until the block is left; yield what OPENAI_BASE_URL is to be."""

    def describe() -> list[Service]:
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        command = Command(
            name="provider",
            argv=(python, "-m", "bench.race.provider", "--port", str(port)),
            env=variables,
            log=folder / "provider.log",
            cwd=REPO,
        )
        return [Service(command=command, url=url, ready=http_ok(f"{url}/v1/models"))]

    async with running(describe) as stack:
        yield f"{stack.services[0].url}/v1"


def make_app() -> web.Application:
    """Make the application, which has answered nothing yet."""
    app = web.Application(client_max_size=20_000_000)
    app[_TOOK] = []
    app.router.add_post("/v1/chat/completions", _timed(_answer))
    app.router.add_post("/v1/audio/transcriptions", _timed(_hear))
    app.router.add_post("/v1/audio/speech", _timed(_speak))
    app.router.add_get("/v1/models", no_models)
    app.router.add_get("/took", _tell)
    return app


def _timed(handler: Handler) -> Handler:
    """Note how long an answer takes once the whole request is there."""

    async def timed(request: web.Request) -> web.StreamResponse:
        await request.read()
        began = time.monotonic()
        response = await handler(request)
        request.app[_TOOK].append((time.monotonic() - began) * 1000)
        return response

    return timed


async def _answer(_: web.Request) -> web.StreamResponse:
    return chat_answer(ANSWER)


async def _hear(_: web.Request) -> web.StreamResponse:
    return web.json_response({"text": HEARD})


async def _speak(request: web.Request) -> web.StreamResponse:
    text = (await request.json())["input"]
    return web.Response(body=tone(len(text) * CHAR_S), content_type="audio/pcm")


async def _tell(request: web.Request) -> web.StreamResponse:
    took = request.app[_TOOK]
    told = list(took)
    took.clear()
    return web.json_response(told)


@cache
def tone(seconds: float) -> bytes:
    """Return a tone from its first sample on: 24 kHz, 16 bit, mono; never longer than 20 s."""
    count = round(min(seconds, _LONGEST_S) * _RATE)
    step = 2 * math.pi * _TONE_HZ / _RATE
    samples = (int(_TONE_LEVEL * math.sin(step * number)) for number in range(count))
    return struct.pack(f"<{count}h", *samples)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    web.run_app(make_app(), host=LOOPBACK, port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
