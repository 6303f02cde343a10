"""Passes chat on to another OpenAI-compatible server, such as Ollama or vLLM.

Answers come back as they are, byte by byte; only failures are put into words of our own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import httpx2
from starlette.responses import JSONResponse, Response, StreamingResponse

from localvoice.api import sse
from localvoice.errors import ApiError, Busy, TimedOut, UpstreamFault, error_body
from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

#: More of an answer that is not streamed is refused. Bytes.
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_MAX_CONNECTIONS = 200
#: Longest wait for a free connection and for sending a request, seconds.
_POOL_TIMEOUT_S = 5.0
_WRITE_TIMEOUT_S = 30.0


class Relay:
    """A pool of connections to one server; an async context manager."""

    def __init__(self, settings: Settings) -> None:
        self._model = settings.llm_model
        self._url = f"{str(settings.llm_base_url).rstrip('/')}/chat/completions"
        headers = {"Accept-Encoding": "identity"}  # what is relayed is not unpacked on the way
        if settings.llm_api_key is not None:
            headers["Authorization"] = f"Bearer {settings.llm_api_key.get_secret_value()}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(
                connect=settings.llm_connect_timeout_s,
                read=settings.llm_read_timeout_s,
                write=_WRITE_TIMEOUT_S,
                pool=_POOL_TIMEOUT_S,
            ),
            limits=httpx2.Limits(max_connections=_MAX_CONNECTIONS),
            # Only the configured server is spoken to: no proxy, no redirect.
            trust_env=False,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def forward(self, body: dict[str, Any]) -> Response:
        """Send the request on and relay the answer.

        Raises UpstreamFault when the server cannot be used, TimedOut when it is silent for
        too long, Busy when every connection is taken.
        """
        if self._model is not None:
            body = body | {"model": self._model}
        try:
            content = json.dumps(body, allow_nan=False).encode()
        except RecursionError as error:
            raise ApiError("the body is nested too deeply", code="invalid_json") from error
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(
                    self._client.stream(
                        "POST",
                        self._url,
                        content=content,
                        headers={"Content-Type": "application/json"},
                    )
                )
                if _is_stream(answer):
                    # From here on the stream owns the connection.
                    return _streamed(answer, stack.pop_all())
                return _whole(answer, await _read(answer))
            except httpx2.HTTPError as error:
                raise _explained(error) from error


def _is_stream(answer: httpx2.Response) -> bool:
    media_type = answer.headers.get("content-type", "")
    return answer.status_code == 200 and media_type.startswith(sse.MEDIA_TYPE)


def _streamed(answer: httpx2.Response, stack: AsyncExitStack) -> Response:
    async def events() -> AsyncIterator[bytes]:
        async with stack:
            try:
                async for data in answer.aiter_raw():
                    yield data
            except httpx2.HTTPError as error:
                # The status is long sent; clients raise what an event calls an error.
                failure = _explained(error)
                _log.warning("relayed stream broke", extra={"code": failure.code})
                yield b"\n\n" + sse.event(failure.body)

    return StreamingResponse(events(), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


async def _read(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for data in answer.aiter_bytes():
        body += data
        if len(body) > _MAX_ANSWER_BYTES:
            raise UpstreamFault("the language model's answer is too large")
    return bytes(body)


def _whole(answer: httpx2.Response, body: bytes) -> Response:
    status = answer.status_code
    value = _object(body)
    if status == 200 and value is not None:
        return JSONResponse(value)
    if not 400 <= status <= 599:
        raise UpstreamFault(f"the language model's server answered {status} without a completion")
    headers = {}
    if retry_after := answer.headers.get("retry-after"):
        headers["Retry-After"] = retry_after
    return JSONResponse(_error(value, status), status_code=status, headers=headers)


def _error(value: Mapping[str, Any] | None, status: int) -> dict[str, Any]:
    """The server's own error in the one shape, whatever it looked like."""
    given = value.get("error") if value else None
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if isinstance(given, Mapping) and isinstance(given.get("message"), str):
        shape = error_body(given["message"], kind=kind)["error"]
        return {"error": shape | {key: given[key] for key in shape if given.get(key) is not None}}
    message = given if isinstance(given, str) else f"the language model's server answered {status}"
    return error_body(message, kind=kind, code="upstream_error")


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _explained(error: httpx2.HTTPError) -> ApiError:
    """Which of the things that can go wrong it was; never the address, which may hold a secret."""
    if isinstance(error, httpx2.PoolTimeout):
        return Busy("too many chats at once for the language model's server", retry_after_s=1)
    if isinstance(error, httpx2.ConnectTimeout):
        return TimedOut("the language model's server could not be reached in time")
    if isinstance(error, httpx2.TimeoutException):
        return TimedOut("the language model's server stopped answering")
    if isinstance(error, httpx2.ConnectError):
        return UpstreamFault("the language model's server cannot be reached")
    return UpstreamFault("the connection to the language model's server broke")
