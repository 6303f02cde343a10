"""Turns an answer into a response."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel
from starlette.responses import Response


def answer(
    value: BaseModel, status: HTTPStatus = HTTPStatus.OK, *, is_sparse: bool = False
) -> Response:
    """Return a value as JSON. A sparse one leaves out what is null."""
    text = value.model_dump_json(by_alias=True, exclude_none=is_sparse)
    return Response(text, status_code=status, media_type="application/json")
