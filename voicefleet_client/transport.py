"""Requests and what they can come to, in one place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx2

from voicefleet_client.errors import ApiError, Unreachable

#: Above the server's own deadlines.
TIMEOUT_S = 15.0
_NO_CONTENT = 204


class Transport:
    """Sends requests to one server; turns refusals into exceptions."""

    def __init__(
        self, base_url: str, *, bearer: str | None = None, http: httpx2.AsyncClient | None = None
    ) -> None:
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT_S)
        self._is_ours = http is None
        self._base_url = base_url.rstrip("/")
        self._bearer = bearer

    async def aclose(self) -> None:
        """Close the connections, unless they are those of a client that was passed in."""
        if self._is_ours:
            await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        bearer: str | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Any]:
        """Return the answer. Raises ApiError, Unreachable."""
        try:
            answer = await self._http.request(
                method,
                self._base_url + path,
                json=body,
                params=query,
                headers={**self._proof(bearer), **(headers or {})},
                timeout=timeout_s,
            )
        except httpx2.HTTPError as error:
            raise Unreachable(f"Voicefleet does not answer ({type(error).__name__})") from error
        return _value(answer.status_code, answer.content)

    @asynccontextmanager
    async def stream(
        self, path: str, *, bearer: str | None, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[str] | None]:
        """Yield the lines of a stream of events, or None when there is nothing more to come.

        Raises ApiError, Unreachable.
        """
        try:
            async with self._http.stream(
                "GET",
                self._base_url + path,
                headers={**self._proof(bearer), **headers},
                timeout=httpx2.Timeout(TIMEOUT_S, read=silence_s),
            ) as answer:
                if answer.status_code == _NO_CONTENT:
                    yield None
                    return
                if answer.status_code >= 400:
                    _value(answer.status_code, await answer.aread())
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    raise Unreachable("something answered, but not Voicefleet")
                yield answer.aiter_lines()
        except httpx2.HTTPError as error:
            raise Unreachable(f"Voicefleet fell silent ({type(error).__name__})") from error

    def _proof(self, bearer: str | None) -> dict[str, str]:
        proof = bearer or self._bearer
        return {"Authorization": f"Bearer {proof}"} if proof else {}


class Connected:
    """What has a transport, and closes it at the end of an `async with`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


@contextmanager
def understanding() -> Iterator[None]:
    """Surround the reading of an answer. Raises Unreachable for one that lacks what ours have."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreachable("something answered, but not Voicefleet") from error


def _value(status: int, content: bytes) -> dict[str, Any]:
    """Return an answer's JSON. Raises ApiError for a refusal, Unreachable for what is no answer."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if status >= 400:
        error = value.get("error") if isinstance(value, dict) else None
        if not isinstance(error, dict):
            raise Unreachable(f"something answered with {status}, but not Voicefleet")
        raise ApiError(
            error.get("message", ""),
            status=status,
            code=error.get("code", "unknown"),
            retry_after_s=error.get("retryAfter"),
        )
    if not isinstance(value, dict):
        raise Unreachable("something answered, but not Voicefleet")
    return value
