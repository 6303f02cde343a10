"""Reads request bodies: bounded, JSON, checked."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tokenserver.errors import ApiError
from tokenserver.state import ApiRequest

#: Our largest request is a token request with all its attributes.
MAX_BODY_BYTES = 64 * 1024

_Body = TypeVar("_Body", bound=BaseModel)


async def read_json(request: ApiRequest) -> dict[str, Any]:
    """Return the JSON object of a body; an empty body is an empty object. Raises ApiError 400."""
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
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
