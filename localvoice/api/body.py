"""Reads JSON bodies, and turns what is wrong with them into messages."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from localvoice.errors import ApiError, UnsupportedMedia

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError saying what is wrong with it.

    Stricter than ``json``: no NaN, no infinity, no half of a surrogate pair, all of which
    would only fail later, in a place that cannot explain.
    """
    media_type = request.headers.get("content-type", "application/json")
    if media_type.split(";")[0].strip().lower() != "application/json":
        raise UnsupportedMedia("send the body as application/json")
    return parse_object(await request.body())


def parse_object(raw: bytes) -> dict[str, Any]:
    """``raw`` as a JSON object. Raises ApiError."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ApiError("the body is nested too deeply", code="invalid_json") from error
    except UnicodeError as error:
        raise ApiError("the body is not valid UTF-8", code="invalid_json") from error
    except json.JSONDecodeError as error:
        raise ApiError(
            f"the body is not valid JSON: {error.msg} at character {error.pos}", code="invalid_json"
        ) from error
    except ValueError as error:
        raise ApiError(
            "the body holds a number that is out of range", code="invalid_json"
        ) from error
    if not isinstance(value, dict):
        raise ApiError("the body must be a JSON object", code="invalid_json")
    return value


def validate(model: type[Model], value: dict[str, Any]) -> Model:
    """``value`` as a ``model``. Raises ApiError about the first field that does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        item = error.errors(include_url=False, include_context=False, include_input=False)[0]
        param = ".".join(str(part) for part in item["loc"])[:200] or None
        message = f"{param}: {item['msg']}" if param else item["msg"]
        code = "missing_parameter" if item["type"] == "missing" else "invalid_value"
        raise ApiError(message, param=param, code=code) from None


def _refuse(_: str) -> NoReturn:
    raise ValueError("not a finite number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("not a finite number")
    return number
