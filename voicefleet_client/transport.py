"""Requests, and how often they are tried, in one place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from inspect import isawaitable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from voicefleet_client.answers import read_lines, read_refusal, read_value
from voicefleet_client.errors import Unreachable, VoicefleetError
from voicefleet_client.pauses import Pauses

#: Above the server's own deadlines.
TIMEOUT_S = 15.0
_ATTEMPTS = 3
_FIRST_PAUSE_S = 0.5
_MOST_PAUSE_S = 2.0
_NO_CONTENT = 204

_Value = TypeVar("_Value")


class _TooLateError(Unreachable):
    """The whole deadline is over."""


#: A user's token or an admin key; or what returns one, for tokens that do not live long.
TokenSource = str | Callable[[], str | Awaitable[str]]


class Transport:
    """Sends requests to one server; turns refusals into exceptions."""

    def __init__(
        self,
        base_url: str,
        *,
        token: TokenSource | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._http = http or httpx2.AsyncClient(timeout=timeout_s)
        self._is_ours = http is None
        self._base_url = base_url.rstrip("/")
        self._token = token
        self.timeout_s = timeout_s

    @property
    def has_token(self) -> bool:
        """Whether there is a proof besides the secrets of sessions."""
        return self._token is not None

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
        more_s: float = 0,
        is_any_status: bool = False,
    ) -> dict[str, Any]:
        """Return the answer, `more_s` after the usual deadline at most.

        Raises ApiError, Unreachable.
        """
        allowed_s = self.timeout_s + more_s

        async def once() -> dict[str, Any]:
            proof = await self._proof(bearer)
            async with self._sent(
                self._http.stream(
                    method,
                    self._base_url + path,
                    json=body,
                    params=query,
                    headers={**proof, **(headers or {})},
                    timeout=allowed_s,
                )
            ) as answer:
                return await read_value(answer, is_any_status=is_any_status)

        return await _tried(once, allowed_s)

    @asynccontextmanager
    async def stream(
        self, path: str, *, bearer: str | None, headers: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[str] | None]:
        """Yield the lines of a stream of events, or None when there is nothing more to come.

        Raises ApiError, Unreachable.
        """
        async with AsyncExitStack() as stack:
            async with _answered_within(self.timeout_s):
                proof = await self._proof(bearer)
                answer = await stack.enter_async_context(
                    self._sent(
                        self._http.stream(
                            "GET",
                            self._base_url + path,
                            headers={**proof, **headers},
                            timeout=httpx2.Timeout(self.timeout_s, read=silence_s),
                        )
                    )
                )
                if answer.status_code != _NO_CONTENT:
                    await read_refusal(answer)
            is_over = answer.status_code == _NO_CONTENT
            yield None if is_over else read_lines(answer, silence_s)

    @asynccontextmanager
    async def _sent(
        self, sending: AbstractAsyncContextManager[httpx2.Response]
    ) -> AsyncIterator[httpx2.Response]:
        try:
            async with sending as answer:
                yield answer
        except httpx2.HTTPError as error:
            raise Unreachable(f"Voicefleet does not answer ({type(error).__name__})") from error

    async def _proof(self, bearer: str | None) -> dict[str, str]:
        proof = bearer or self._token
        if callable(proof):
            made = proof()
            proof = await made if isawaitable(made) else made
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


async def _tried(once: Callable[[], Awaitable[_Value]], allowed_s: float) -> _Value:
    """Ask again a few times where nobody answers, or only a gateway: all our calls may be repeated.

    Not again when the pause that is asked for would be too long: the caller can wait better. When
    time runs out over asking again, what was answered before says more.
    """
    pauses = Pauses(first_s=_FIRST_PAUSE_S, most_s=_MOST_PAUSE_S)
    ends_at_s = time.monotonic() + allowed_s
    refusal: VoicefleetError | None = None
    try:
        async with _answered_within(allowed_s):
            for _ in range(_ATTEMPTS - 1):
                try:
                    return await once()
                except VoicefleetError as error:
                    refusal, pause_s = error, pauses.next_s(error.retry_after_s)
                    if not error.is_brief or time.monotonic() + pause_s >= ends_at_s:
                        raise
                await asyncio.sleep(pause_s)
            return await once()
    except _TooLateError as error:
        raise refusal or error from error


@asynccontextmanager
async def _answered_within(allowed_s: float) -> AsyncIterator[None]:
    """Bound the whole of what is done inside, whatever comes in drops. Raises Unreachable."""
    try:
        async with asyncio.timeout(allowed_s) as deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise _TooLateError(f"Voicefleet did not answer within {allowed_s:g} s") from error
