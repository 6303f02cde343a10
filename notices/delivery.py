"""One message, one attempt: a POST that cannot be led astray, and ends in time whatever answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractResolver

from notices.address import ForbiddenAddress, Guard
from notices.formats import Format, body_of
from notices.message import Message
from notices.signature import sign
from telemetry.version import VERSION

#: What is said against us is read no further; a success needs no words.
_MOST_HEADER_BYTES = 8_192
#: Those that a receiver may get over by itself; any other of 400 to 499 is for good.
_TRANSIENT = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class Result(StrEnum):
    """What came of an attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"  # it may be tried again
    REFUSED = "refused"  # this message will never be taken
    GONE = "gone"  # nor will any other: the receiver wants none any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt, and why; nothing in it comes from the receiver but numbers."""

    result: Result
    #: In a word, for the log.
    reason: str = ""
    #: How long the receiver wants to be left alone, in s.
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Who is told. The URL may be all that keeps others from posting there, so it is a secret."""

    url: str = field(repr=False)
    #: One for each signature; none where nobody looks at them.
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    format: Format = Format.JSON


class Courier:
    """Takes messages to one endpoint.

    Redirects are not followed and proxies of the environment not used: both would lead past the
    guard. Each attempt has a connection of its own, so that none is found to be stale.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        guard: Guard,
        *,
        timeout_s: float,
        resolver: Callable[[], AbstractResolver] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._guard = guard
        self._timeout_s = timeout_s
        self._resolver = resolver
        self._clock = clock

    async def send(self, message: Message) -> Outcome:
        """Try once. Raises nothing but a cancellation."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(message)
        except TimeoutError:
            reason = "timeout"
        except ForbiddenAddress:
            reason = "forbidden_address"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Its text may have the URL in it.
            reason = _forbidden(error) or type(error).__name__
        return Outcome(result=Result.FAILED, reason=reason)

    async def _post(self, message: Message) -> Outcome:
        body = body_of(message, self._endpoint.format)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    force_close=True,
                    resolver=self._resolver() if self._resolver else None,
                    socket_factory=self._guard.make_socket,
                    use_dns_cache=False,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_MOST_HEADER_BYTES,
                max_field_size=_MOST_HEADER_BYTES,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            ) as http,
            http.post(
                self._endpoint.url,
                data=body,
                headers=self._headers(message, body),
                allow_redirects=False,
            ) as response,
        ):
            # The body is left unread: closing the connection is all that is done with it.
            response.close()
            return _outcome_of(response.status, response.headers.get("Retry-After"))

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"voicefleet/{VERSION}",
        }
        if self._endpoint.secrets:
            at_s = int(self._clock())
            headers["webhook-id"] = message.id
            headers["webhook-timestamp"] = str(at_s)
            headers["webhook-signature"] = sign(self._endpoint.secrets, message.id, at_s, body)
        return headers


def _forbidden(error: BaseException) -> str | None:
    """Say so where the guard is what a connection has failed of."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenAddress):
            return "forbidden_address"
        cause = cause.__cause__
    return None


def _outcome_of(status: int, retry_after: str | None) -> Outcome:
    reason = f"status_{status}"
    if 200 <= status < 300:
        return Outcome(result=Result.DELIVERED, reason=reason)
    if status == HTTPStatus.GONE:
        return Outcome(result=Result.GONE, reason=reason)
    if 400 <= status < 500 and status not in _TRANSIENT:
        return Outcome(result=Result.REFUSED, reason=reason)
    return Outcome(result=Result.FAILED, reason=reason, retry_after_s=_seconds(retry_after))


def _seconds(text: str | None) -> float | None:
    """Read `Retry-After: 120`; a date, or what is none of both, counts as not said."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= 12
    return float(text) if text is not None and is_number else None
