"""Reads request bodies: bounded in size and time, JSON, checked.

Starlette's own limit answers in plain text; ours keeps the one error shape of the API.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tokenserver.errors import ApiError
from tokenserver.state import ApiRequest

#: Our largest request is a token request with all its attributes.
MAX_BODY_BYTES = 64 * 1024
#: Longer than any honest client needs to send that much.
_BODY_DEADLINE_S = 10.0

_Body = TypeVar("_Body", bound=BaseModel)


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
    """Return the JSON object of a body; an empty body is an empty object. Raises ApiError 400."""
    raw = await read_bytes(request, MAX_BODY_BYTES)
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
        # JSON can spell half a character (a lone surrogate), which no string may hold.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _bad_request("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise _bad_request("The body must be a JSON object.")
    return value


def checked(kind: type[_Body], value: dict[str, Any]) -> _Body:
    """Return the value as a request of that kind. Raises ApiError 400 that names the fields."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}".lstrip(": ")
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise _bad_request("; ".join(problems[:5])) from None


def _bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message)
