"""Headers of answers: which of them come with which status."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from tokenserver.http.operation import Operation, Unlimited

_SECONDS = {"type": "integer", "minimum": 0}

#: In the document once; answers refer to them.
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request in our log; yours, if you sent a harmless one.",
        "required": True,
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,64}$"},
    },
    "Cache-Control": {
        "description": "No answer is to be kept.",
        "required": True,
        "schema": {"type": "string", "const": "no-store"},
    },
    "RateLimit-Limit": {
        "description": "How many such calls you may make in a minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "How many of them are left.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until there is room again.",
        "required": True,
        "schema": _SECONDS,
    },
    "Retry-After": {
        "description": "Seconds after which trying again may help.",
        "required": True,
        "schema": _SECONDS,
    },
    "Retry-After-Perhaps": {
        "description": "Seconds after which trying again may help, where that is known.",
        "schema": _SECONDS,
    },
    "WWW-Authenticate": {
        "description": "How to send a proof.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
}


def headers_of(operation: Operation, status: HTTPStatus) -> dict[str, dict[str, str]]:
    """Return the headers of an operation's answers of one status, as references."""
    names = {name: name for name in _names(operation, status)}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT):
        names["Retry-After"] = "Retry-After-Perhaps"
    return {name: {"$ref": f"#/components/headers/{entry}"} for name, entry in names.items()}


def _names(operation: Operation, status: HTTPStatus) -> Iterable[str]:
    yield from ("X-Request-ID", "Cache-Control")
    # A path that cannot be one of ours is not counted: 404 comes with and without these.
    if not isinstance(operation.limit, Unlimited) and status is not HTTPStatus.NOT_FOUND:
        yield from ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        yield "Retry-After"
    if status is HTTPStatus.UNAUTHORIZED:
        yield "WWW-Authenticate"
