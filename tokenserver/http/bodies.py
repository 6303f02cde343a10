"""Reads request bodies: bounded in size, time and depth, JSON, with nothing doubtful in it.

Starlette's own limit answers in plain text; ours keeps the one error shape of the API.
"""

from __future__ import annotations

import asyncio
import json
import math
from http import HTTPStatus
from typing import Any, NoReturn

from tokenserver.errors import ApiError
from tokenserver.http.call import ApiRequest

#: Our largest request is a token request with all its attributes.
MAX_BODY_BYTES = 16 * 1024
#: Longer than any honest client needs to send that much.
_BODY_DEADLINE_S = 10.0
#: A token request has objects in lists in objects; nothing of ours goes deeper.
_MAX_DEPTH = 12


async def read_bytes(request: ApiRequest, max_bytes: int) -> bytes:
    """Return the whole body. Raises ApiError 413 when it is larger, 408 when it takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise ApiError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "body_too_large",
                        f"The body may have {max_bytes} bytes at most.",
                    )
    except TimeoutError:
        raise ApiError(
            HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time."
        ) from None
    return bytes(body)


async def read_json(request: ApiRequest) -> dict[str, Any]:
    """Return the JSON object of a body; an empty body is an empty object.

    Raises ApiError 400, and 415 for a body that does not say that it is JSON.
    """
    raw = await read_bytes(request, MAX_BODY_BYTES)
    if not raw.strip():
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as `Content-Type: application/json`.",
        )
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise _bad_request("The body must be a JSON object.")
    return value


def parse_json(raw: bytes) -> object:
    """Return a JSON value as RFC 8259 means it. Raises ApiError 400.

    Python's parser also takes NaN, numbers without end, keys that come twice, half characters
    (lone surrogates), and any depth that its stack can bear; and it tells 1.0 from 1.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_constant=_refuse,
            parse_float=_number,
            object_pairs_hook=_once,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _bad_request("The body is not valid JSON.") from None
    if _is_deeper(value, _MAX_DEPTH):
        raise _bad_request("The body is nested too deep.")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _number(text: str) -> float | int:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() else value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key came twice")
    return value


def _is_deeper(value: object, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, dict | list)
    if isinstance(value, dict):
        return any(_is_deeper(item, depth - 1) for item in value.values())
    return isinstance(value, list) and any(_is_deeper(item, depth - 1) for item in value)


def _bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message)
