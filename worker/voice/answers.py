"""What comes back from a provider, within bounds: of a size, and getting on.

The SDK waits for the next byte only. A server that sends comments to keep the connection alive, as
many do before a slow answer, could keep a user waiting for ever; and one that never ends would fill
the memory of all calls on the machine.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import httpx2
from openai import APIConnectionError

#: What a proxy or a portal says instead of an answer; played, it would be noise.
_PAGE, _MESSAGE = "text/html", "application/json"
_SPEECH = "/audio/speech"
#: The extension of a request to a model that tells what was asked: redirected, it is another one.
ASKED = "voicefleet.asked"
#: The extension of a request that is called when its model stops in the middle of an answer.
ON_SILENCE = "voicefleet.on_silence"


class NoAnswer(APIConnectionError):
    """Raised when what comes back cannot be an answer of a model."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer may be: so long, and in each while at least so much of what counts."""

    most_bytes: int
    #: What has to be in it; empty: anything counts.
    mark: bytes = b""
    least_bytes: int = 1


#: By the end of the path, which is OpenAI's.
_BOUNDS = {
    # One sentence of a user, in JSON. It is no use in part, so no while but the first counts.
    "/audio/transcriptions": Bounds(256_000, least_bytes=256_000),
    # Some 8,000 tokens, each an event of its own. Comments are none (HTML Standard, 9.2.6).
    "/chat/completions": Bounds(2_000_000, mark=b"data:"),
    # More than five minutes of samples; in each while at least 50 ms of them.
    _SPEECH: Bounds(16_000_000, least_bytes=2_400),
}


async def check(response: httpx2.Response) -> None:
    """Bound an answer that begins to come. Raises NoAnswer for a page or a message in its place."""
    request, asked = response.request, response.request.extensions.get(ASKED)
    if asked is None:
        return
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_message = kind == _MESSAGE and asked.endswith(_SPEECH)
    if response.is_success and (kind == _PAGE or is_message):
        raise NoAnswer(message=f"The answer is {kind}.", request=request)
    for end, bounds in _BOUNDS.items():
        if asked.endswith(end):
            stream = cast("httpx2.AsyncByteStream", response.stream)
            response.stream = _Bounded(stream, bounds, request)


class _Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer, until there are too many, or too few of them."""

    def __init__(
        self, stream: httpx2.AsyncByteStream, bounds: Bounds, request: httpx2.Request
    ) -> None:
        self._stream = stream
        self._bounds = bounds
        self._request = request
        self._patience_s: float = request.extensions["timeout"]["read"]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        bounds, size, counted, since = self._bounds, 0, 0, time.monotonic()
        # What is there of an answer that has not begun in earnest: another model may step in for
        # one that fails before anything of it was played.
        held: bytes | None = b""
        async for piece in self._pieces():
            size += len(piece)
            if size > bounds.most_bytes:
                text = f"The answer is longer than {bounds.most_bytes} bytes."
                raise NoAnswer(message=text, request=self._request)
            counted += len(piece) if bounds.mark in piece else 0
            now = time.monotonic()
            if counted >= bounds.least_bytes:
                counted, since = 0, now
                yield (held or b"") + piece
                held = None
            elif now - since > self._patience_s:
                self._request.extensions[ON_SILENCE]()
                raise httpx2.ReadTimeout("The answer does not get on.", request=self._request)
            elif held is None:
                yield piece
            else:
                held += piece
        if held:
            yield held

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except httpx2.ReadTimeout:
            self._request.extensions[ON_SILENCE]()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
