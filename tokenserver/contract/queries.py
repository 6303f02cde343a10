"""What may be asked for in queries and headers. An unknown name in a query is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from sessions.states import State

_Cursor = Annotated[str, StringConstraints(pattern=r"^[a-z]+~[0-9:a-f]{0,64}$")]


class _Headers(BaseModel):
    """Those that mean something to a call; there are always others."""

    model_config = ConfigDict(frozen=True)


class _Query(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class StartHeaders(_Headers):
    """Headers of `POST /api/session/start`."""

    idempotency_key: Annotated[str, Field(pattern=r"^[!-~]{16,128}$")] | None = Field(
        None,
        alias="idempotency-key",
        description="Something nobody can guess, such as a UUID: the same request with the same "
        "key starts one session, however often it is sent.",
    )


class EventHeaders(_Headers):
    """Headers of `GET /api/session/{id}/events`."""

    last_event_id: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        None,
        alias="last-event-id",
        description="The id of the last event you got; a browser sends it by itself.",
    )


class LookQuery(_Query):
    """Query of `GET /api/session/{id}`."""

    wait: Annotated[float, Field(ge=0, le=30)] = Field(
        0, description="Seconds to wait for a change, at most; 0: answer at once."
    )
    since: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        None, description="The revision you know: with a later one there is no wait."
    )


class LogsQuery(_Query):
    """Query of `GET /api/session/{id}/logs`."""

    last: Annotated[int, Field(ge=1, le=200)] = Field(200, description="How many lines at most.")


class SessionsQuery(_Query):
    """Query of `GET /api/sessions`."""

    state: State | Literal["live", "over", "all"] = Field(
        "live", description="A state, or `live`, `over`, `all`."
    )
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@:+-]{1,128}$")] | None = Field(
        None, description="A user id; `unverified:` stands before one that nobody proved."
    )
    worker: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = Field(
        None, description="The `id` of a worker."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="How many at most.")
    after: _Cursor | None = Field(None, description="`next` of the page before.")
