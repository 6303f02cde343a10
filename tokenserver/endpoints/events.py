"""`GET /api/session/{id}/events`: a session as server-sent events (WHATWG HTML, section 9.2).

Each event `session` is the session as `GET /api/session/{id}` shows it; its id is the revision.
Who comes back with `Last-Event-ID` is told at once what is new. The stream ends with the session,
and comes back with 204, which tells a browser not to ask again. It also ends with what its caller
has proved: when the user's token expires, or the session gets another secret.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.states import TERMINAL
from supervisor.changes import Subscription
from tokenserver.access.addresses import limit_key
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.contract.answers import SessionView
from tokenserver.contract.queries import EventHeaders
from tokenserver.endpoints.looks import look, patience_in_line_s, proof_ends_in_s
from tokenserver.http.call import Call
from tokenserver.http.operation import Stream, handles
from tokenserver.watchers import TOO_MANY_WATCHERS, first_of

_EVENT = "session"

#: After this a browser comes back to a stream that broke.
_RETRY_MS = 1000
#: A line now and then keeps proxies from taking the stream for dead; they often wait a minute.
_KEEP_ALIVE_S = 15.0
#: What could not be read is asked for again after this.
_LOOK_AGAIN_S = 1.0
#: A stream is ended after this and comes back: no connection is for ever.
_MAX_STREAM_S = 3600.0


@handles(
    "Follow a session",
    headers=EventHeaders,
    answers={HTTPStatus.OK: Stream(_EVENT, SessionView), HTTPStatus.NO_CONTENT: ""},
    codes=TOO_MANY_WATCHERS,
)
async def follow_session(call: Call) -> Response:
    """Send the session with each change, as server-sent events. Following keeps a place in line."""
    last = call.asked(EventHeaders).last_event_id
    if call.session.status in TERMINAL and last is not None and last == call.session.revision:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    places = contextlib.AsyncExitStack()
    # Held from here, so that a refusal is an answer of its own and not a broken stream.
    await places.enter_async_context(call.state["watchers"].watch(limit_key(call.caller.address)))
    try:
        changes = await places.enter_async_context(call.state["feed"].subscribe(call.session.id))
    except BaseException:
        await places.aclose()
        raise
    return _Stream(
        _events(call, changes, last),
        places,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class _Stream(StreamingResponse):
    """Gives back what the stream held, however it ends."""

    def __init__(
        self,
        content: AsyncIterator[str],
        places: contextlib.AsyncExitStack,
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._places:
            await super().__call__(scope, receive, send)


async def _events(call: Call, changes: Subscription, last: int | None) -> AsyncIterator[str]:
    """Yield the stream: the state now, unless it is known, and again whenever it differs."""
    closing = call.state["watchers"].closing
    now = asyncio.get_running_loop().time
    ends_at, quiet_since = now() + min(_MAX_STREAM_S, proof_ends_in_s(call)), now()
    sent: SessionView | None = None
    yield f"retry: {_RETRY_MS}\n\n"
    while not closing.is_set() and now() < ends_at:
        try:
            view = await _look_patiently(call)
        except (SessionNotFound, InvalidUserToken):
            return  # whoever comes back is told why
        if view is not None and _is_news(view, sent, last):
            yield _event(view)
            sent, quiet_since = view, now()
        if view is not None and view.status in TERMINAL:
            return
        if now() - quiet_since >= _KEEP_ALIVE_S:
            yield ": still here\n\n"
            quiet_since = now()
        await first_of(changes.wait(_patience_s(call, view)), closing.wait())


async def _look_patiently(call: Call) -> SessionView | None:
    """Return the session, or None while Redis is away: the stream stays."""
    try:
        async with call.state["watchers"].turns:
            return await look(call)
    except StoreUnavailable:
        return None


def _patience_s(call: Call, view: SessionView | None) -> float:
    """Return when to look again without having heard of a change."""
    if view is None:
        return _LOOK_AGAIN_S
    patience_s = _KEEP_ALIVE_S if view.queue is None else patience_in_line_s(call)
    return min(patience_s, proof_ends_in_s(call))


def _is_news(view: SessionView, sent: SessionView | None, last: int | None) -> bool:
    if sent is None:
        # Not only a later one: Redis may have come back without its last moments.
        return view.revision != last or view.queue is not None
    # A token is made anew with every look.
    same = {"participant_token": None}
    return view.model_copy(update=same) != sent.model_copy(update=same)


def _event(view: SessionView) -> str:
    return f"id: {view.revision}\nevent: {_EVENT}\ndata: {view.model_dump_json(by_alias=True)}\n\n"
