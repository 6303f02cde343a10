"""An operation: one method of one path, who may call it, how often, and what comes of it.

The application is a list of these. A route without a rule of access, a limit and a contract cannot
be written down, and the OpenAPI document is made of the same list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import BaseModel
from starlette.responses import Response

from tokenserver.access.limits import Rule
from tokenserver.access.rules import Access

if TYPE_CHECKING:
    from tokenserver.http.call import Call


@dataclass(frozen=True, slots=True)
class Stream:
    """Server-sent events of one name, each with a model as JSON."""

    event: str
    of: type[BaseModel]


#: What an answer holds: a model of JSON, a stream of them, or a media type of its own.
Content = type[BaseModel] | Stream | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a handler takes and gives, for its callers and for the document."""

    summary: str
    description: str
    answers: Mapping[HTTPStatus, Content]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    #: A body that the handler reads by itself, byte by byte, and how it names its kind.
    raw_body: tuple[str, type[BaseModel]] | None = None
    #: Exceptions that mean a refusal, besides those of access, limit, body and neighbours.
    errors: tuple[type[Exception], ...] = ()
    #: The same for what has no exception of its own: status and code.
    codes: tuple[tuple[HTTPStatus, str], ...] = ()
    #: False for what answers without Redis; anything else may say that it is away.
    needs_store: bool = True
    needs_livekit: bool = False


@dataclass(frozen=True, slots=True)
class Handler:
    """A function with its contract."""

    run: Callable[[Call], Awaitable[Response]]
    contract: Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlimited:
    """No limit, and why none is needed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the application."""

    method: str
    path: str
    handler: Handler
    access: Access
    limit: Rule | Unlimited


def handles(
    summary: str,
    *,
    answers: Mapping[HTTPStatus, Content],
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    headers: type[BaseModel] | None = None,
    raw_body: tuple[str, type[BaseModel]] | None = None,
    errors: tuple[type[Exception], ...] = (),
    codes: tuple[tuple[HTTPStatus, str], ...] = (),
    needs_store: bool = True,
    needs_livekit: bool = False,
) -> Callable[[Callable[[Call], Awaitable[Response]]], Handler]:
    """Make a function a handler; its docstring is the description in the document."""

    def made(run: Callable[[Call], Awaitable[Response]]) -> Handler:
        contract = Contract(
            summary=summary,
            description=" ".join((run.__doc__ or "").split()),
            answers=answers,
            body=body,
            query=query,
            headers=headers,
            raw_body=raw_body,
            errors=errors,
            codes=codes,
            needs_store=needs_store,
            needs_livekit=needs_livekit,
        )
        return Handler(run, contract)

    return made
