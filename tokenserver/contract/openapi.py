"""The OpenAPI 3.1 document, made of the operations themselves: it cannot differ from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from rooms.errors import LiveKitRefused, LiveKitUnavailable
from sessions.errors import SessionNotFound, StoreUnavailable, WrongSchema
from sessions.ids import SESSION_ID_PATTERN
from telemetry.version import VERSION
from tokenserver.access.rules import ADMIN, ANYONE, LIVEKIT, OWNER, USER_OR_OWNER
from tokenserver.contract.answers import Refusal
from tokenserver.contract.headers import HEADERS, headers_of
from tokenserver.contract.limits import limit_of
from tokenserver.http.errors import api_error
from tokenserver.http.operation import Content, Operation, Stream, Unlimited

_REF = "#/components/schemas/{model}"

_INTRODUCTION = (
    "One call puts a user in a room with a talking agent. Times are in milliseconds since 1970 "
    "unless a name says otherwise. Every error has the shape `Refusal`; beside those that are "
    "listed, `not_found` (404), `method_not_allowed` (405) and, if we have made a mistake, "
    "`internal_error` (500) are possible everywhere."
)

#: Where an operation stands on the page, by who may call it.
_TAGS = {ADMIN.name: "For operators", ANYONE.name: "For anyone", LIVEKIT.name: "For LiveKit"}
_USERS_TAG = "For users"

_PATH_PARAMETERS = {
    "session_id": {
        "description": "The `sessionId` that start returned.",
        "schema": {"type": "string", "pattern": SESSION_ID_PATTERN},
    },
    "worker_id": {
        "description": "The `id` of a worker, as the fleet lists it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
    },
}

_PROOFS = {
    "adminKey": {"type": "http", "scheme": "bearer", "description": "An admin key."},
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A user's token of your identity provider; with AUTH_MODE=jwt.",
    },
    "sessionSecret": {
        "type": "http",
        "scheme": "bearer",
        "description": "The `sessionSecret` that start returned.",
    },
    "livekitSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "LiveKit's signature of the body (LiveKit docs, Webhooks).",
    },
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document that describes these operations."""
    models = sorted(set(_models(operations)), key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, by_alias=True
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Voicefleet",
            "version": VERSION,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "headers": HEADERS,
            "securitySchemes": _PROOFS,
        },
    }


def _models(operations: Iterable[Operation]) -> Iterable[type[BaseModel]]:
    yield Refusal
    for operation in operations:
        contract = operation.handler.contract
        if contract.body is not None:
            yield contract.body
        if contract.raw_body is not None:
            yield contract.raw_body[1]
        for content in contract.answers.values():
            if not isinstance(content, str):
                yield content.of if isinstance(content, Stream) else content


def _described(operation: Operation) -> dict[str, Any]:
    contract = operation.handler.contract
    described: dict[str, Any] = {
        "operationId": operation.handler.run.__name__,
        "tags": [_TAGS.get(operation.access.name, _USERS_TAG)],
        "summary": contract.summary,
        "description": contract.description,
        "security": _security(operation),
        "x-limit": limit_of(operation),
        "responses": {
            **{
                str(int(status)): _answer(operation, status, content)
                for status, content in contract.answers.items()
            },
            **_refusals(operation),
        },
    }
    if parameters := [
        *_in_path(operation),
        *_in(contract.query, "query"),
        *_in(contract.headers, "header"),
    ]:
        described["parameters"] = parameters
    if contract.body is not None:
        described["requestBody"] = {
            "required": not _takes_nothing(contract.body),
            "content": {"application/json": {"schema": _reference(contract.body)}},
        }
    if contract.raw_body is not None:
        media_type, model = contract.raw_body
        content = {media_type: {"schema": _reference(model)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _takes_nothing(body: type[BaseModel]) -> bool:
    """Say whether a body may be left out: it then counts as an empty object."""
    try:
        body.model_validate({})
    except ValidationError:
        return False
    return True


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """Return the proofs of which one is asked for; an empty one means that none is needed."""
    proofs: list[dict[str, list[str]]] = [{proof: []} for proof in operation.access.proofs]
    return proofs if operation.access.is_strict else [*proofs, {}]


def _answer(operation: Operation, status: HTTPStatus, content: Content) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": status.phrase,
        "headers": headers_of(operation, status),
    }
    if isinstance(content, Stream):
        answer["content"] = {"text/event-stream": {"schema": _event(content)}}
    elif not isinstance(content, str):
        answer["content"] = {"application/json": {"schema": _reference(content)}}
    elif content:
        kind = "object" if content == "application/json" else "string"
        answer["content"] = {content: {"schema": {"type": kind}}}
    return answer


def _event(stream: Stream) -> dict[str, Any]:
    """Return the schema of one event of a stream."""
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": _reference(stream.of),
    }
    named = {"event": {"const": stream.event}, "id": {"type": "string"}, "data": data}
    return {"type": "object", "properties": named}


def _refusals(operation: Operation) -> dict[str, Any]:
    """Return what can be answered instead, status by status, with the codes that each may have."""
    codes: dict[HTTPStatus, set[str]] = {}
    for kind in _errors(operation):
        error = api_error(kind())
        codes.setdefault(error.status, set()).add(error.code)
    for status, code in _codes_of_the_way_in(operation):
        codes.setdefault(status, set()).add(code)
    return {
        str(int(status)): {
            "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in sorted(known))}",
            "headers": headers_of(operation, status),
            "content": {"application/json": {"schema": _reference(Refusal)}},
        }
        for status, known in sorted(codes.items())
        if status not in operation.handler.contract.answers
    }


def _errors(operation: Operation) -> Iterable[type[Exception]]:
    contract = operation.handler.contract
    yield from contract.errors
    if contract.needs_store:
        yield from (StoreUnavailable, WrongSchema)
    if contract.needs_livekit:
        yield from (LiveKitUnavailable, LiveKitRefused)
    if operation.access in (OWNER, USER_OR_OWNER) or "{session_id}" in operation.path:
        yield SessionNotFound


def _codes_of_the_way_in(operation: Operation) -> Iterable[tuple[HTTPStatus, str]]:
    contract = operation.handler.contract
    yield from contract.codes
    if operation.access is not ANYONE:
        yield HTTPStatus.UNAUTHORIZED, "unauthorized"
    if "userToken" in operation.access.proofs:
        yield HTTPStatus.SERVICE_UNAVAILABLE, "keys_unavailable"
    if contract.body is not None or contract.raw_body is not None:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large"
        yield HTTPStatus.REQUEST_TIMEOUT, "body_too_slow"
    if contract.body is not None:
        yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"
    if contract.body is not None or contract.query is not None or contract.headers is not None:
        yield HTTPStatus.BAD_REQUEST, "bad_request"
    if not isinstance(operation.limit, Unlimited):
        yield HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"


def _in_path(operation: Operation) -> Iterable[Mapping[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", operation.path):
        yield {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}


def _in(model: type[BaseModel] | None, place: str) -> Iterable[Mapping[str, Any]]:
    """Return a model's fields as parameters. None of them is required, and none may be null."""
    if model is None:
        return
    for name, schema in model.model_json_schema(by_alias=True, ref_template=_REF)[
        "properties"
    ].items():
        described = {
            key: value for key, value in schema.items() if key not in ("title", "description")
        }
        default = described.pop("default", None)
        choices = [choice for choice in described.get("anyOf", ()) if choice != {"type": "null"}]
        if len(choices) == 1:
            described = choices[0]
        elif choices:
            described = {"anyOf": choices}
        if default is not None:
            described["default"] = default
        yield {
            "name": name,
            "in": place,
            "required": False,
            "description": schema.get("description", ""),
            "schema": described,
        }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
