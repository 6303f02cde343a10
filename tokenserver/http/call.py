"""A call: a request that was let in, with what was found out about it on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from sessions.ids import UserId
from sessions.model import Session
from tokenserver.state import AppState

_Model = TypeVar("_Model", bound=BaseModel)

ApiRequest = Request[AppState]


@dataclass(slots=True, kw_only=True)
class Caller:
    """Who calls, as far as it is proved."""

    #: Where from; behind trusted proxies, as they say.
    address: str
    #: The bearer token: an admin key, a user's token, or the secret of a session.
    proof: str = field(repr=False)
    is_admin: bool
    #: The user that a token of the identity provider names.
    user_id: UserId | None = None
    #: When that token ends, in seconds since 1970. Who waits may do so until then.
    user_until_s: float = math.inf


@dataclass(slots=True, kw_only=True)
class Call:
    """What a handler gets."""

    request: ApiRequest
    caller: Caller
    body: BaseModel | None = None
    query: BaseModel | None = None
    headers: BaseModel | None = None
    #: The session that the path or the body names, once the caller may have it.
    owned: Session | None = None

    @property
    def state(self) -> AppState:
        """What every request can reach."""
        return self.request.state

    def note(self, **fields: str | float) -> None:
        """Add what the handler found out to the line that the log has for this request."""
        self.request.scope.setdefault("noted", {}).update(fields)

    @property
    def session(self) -> Session:
        """The session that the operation names."""
        if self.owned is None:
            raise LookupError("this operation names no session")
        return self.owned

    def asked(self, kind: type[_Model]) -> _Model:
        """Return the body, query or headers as the model that the contract says."""
        for value in (self.body, self.query, self.headers):
            if isinstance(value, kind):
                return value
        raise LookupError(f"this operation takes no {kind.__name__}")
