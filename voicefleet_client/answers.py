"""Reads answers: never more than one of ours can be, and only what ours have."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from voicefleet_client.errors import ApiError, Unreachable

#: The longest of ours are some hundred turns, or sessions.
_MAX_BODY_BYTES = 8 * 1024 * 1024
#: An event of ours has one or two KB.
MAX_LINE_BYTES = 256 * 1024


async def read_value(answer: httpx2.Response, *, is_any_status: bool = False) -> dict[str, Any]:
    """Return an answer's JSON. Raises ApiError for a refusal, Unreachable for what is no answer.

    With `is_any_status`, what is not shaped as a refusal is none, whatever its status.
    """
    try:
        value = json.loads(await _read_body(answer))
    except (ValueError, RecursionError):
        value = None
    is_object = isinstance(value, dict)
    if answer.status_code >= 400 and not (is_any_status and is_object and "error" not in value):
        raise _refusal(answer, value)
    if not is_object:
        raise not_ours(answer.status_code)
    return dict(value)


async def read_refusal(answer: httpx2.Response) -> None:
    """Raise ApiError or Unreachable for an answer that should have been a stream of events."""
    if answer.status_code >= 400:
        await read_value(answer)
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        raise not_ours(answer.status_code)


async def read_lines(answer: httpx2.Response, silence_s: float) -> AsyncIterator[str]:
    """Yield the lines of a stream, none of them too long, none too slow. Raises Unreachable."""
    rest, since = bytearray(), time.monotonic()
    async for chunk in answer.aiter_bytes():
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            rest += head
            for line in rest.split(b"\n"):
                yield line.rstrip(b"\r").decode("utf-8", "replace")
            rest.clear()
            since = time.monotonic()
        rest += tail
        if len(rest) > MAX_LINE_BYTES:
            raise Unreachable("something answered with a line that does not end")
        if time.monotonic() - since > silence_s:
            raise Unreachable("something answers too slowly")


@contextmanager
def understanding(status: int | None = None) -> Iterator[None]:
    """Surround the reading of an answer. Raises Unreachable for one that lacks what ours have."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise not_ours(status) from error


def not_ours(status: int | None = None, retry_after_s: float | None = None) -> Unreachable:
    """Return the error for an answer of somebody else."""
    said = "" if status is None else f" with {status}"
    return Unreachable(
        f"something answered{said}, but not Voicefleet", status=status, retry_after_s=retry_after_s
    )


async def _read_body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise not_ours(answer.status_code)
    return bytes(body)


def _refusal(answer: httpx2.Response, value: object) -> ApiError | Unreachable:
    """Return the error that a refusal means; gateways in between have refusals of their own."""
    after_s = _seconds(answer.headers.get("retry-after"))
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return not_ours(answer.status_code, after_s)
    return ApiError(
        str(error.get("message", "")),
        status=answer.status_code,
        code=str(error.get("code", "unknown")),
        retry_after_s=_seconds(error.get("retryAfter")) or after_s,
        request_id=answer.headers.get("x-request-id"),
    )


def _seconds(value: object) -> float | None:
    """Return a number of seconds, or None for what is none, such as a date."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
