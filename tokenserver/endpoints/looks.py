"""`GET /api/session/{id}`: a session as it is now, or once it has changed (a long poll)."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

from starlette.responses import Response

from rooms.tokens import Participant, mint_token
from sessions.model import Place, Session
from sessions.states import TERMINAL, State
from tokenserver.access.addresses import limit_key
from tokenserver.access.rules import check_still_owner
from tokenserver.contract.answers import SessionView
from tokenserver.contract.queries import LookQuery
from tokenserver.contract.views import may_join, session_view
from tokenserver.endpoints.admission import Seat
from tokenserver.http.answers import answer
from tokenserver.http.call import ApiRequest, Call
from tokenserver.http.operation import handles
from tokenserver.state import AppState
from tokenserver.watchers import TOO_MANY_WATCHERS, first_of

#: How old the place in line may be that a waiting client knows.
_LOOK_AT_LINE_S = 2.0
#: How long a secret is believed that was replaced meanwhile; nobody is woken for that.
_LOOK_AT_PROOF_S = 15.0
_WAIT_WHILE_CLOSING_S = 1.0


@handles(
    "Look at a session",
    query=LookQuery,
    answers={HTTPStatus.OK: SessionView},
    codes=TOO_MANY_WATCHERS,
)
async def get_session(call: Call) -> Response:
    """Show a session to its owner or an admin. Asking keeps a place in line.

    With `wait`, the answer comes when something has changed, or after so many seconds. Once the
    session has its slot, the answer to the owner has a token until the user has joined.
    """
    asked = call.asked(LookQuery)
    view = await look(call, call.session)
    since = call.session.revision if asked.since is None else asked.since
    if asked.wait > 0 and view.revision == since and call.session.status not in TERMINAL:
        view = await _changed_view(call, since, asked.wait)
    return answer(view)


async def look(call: Call, session: Session | None = None) -> SessionView:
    """Return a session as it is now, to its owner with a token where one is needed.

    One that was read just now is not read again. Raises SessionNotFound; who has waited must still
    be its owner (`check_still_owner`).
    """
    store = call.state["store"]
    if session is None:
        session = await store.get(call.session.id)
        check_still_owner(call, session)
    place: Place | None = None
    if session.status is State.QUEUED and not call.caller.is_admin:
        place = await store.queue.touch(session.id)
        if place.status is not State.QUEUED:
            session = await store.get(session.id)
    if call.caller.is_admin or not may_join(session):
        return session_view(session, place)
    settings = call.state["settings"]
    return session_view(
        session,
        server_url=settings.public_url,
        participant_token=join_token(call.state, session),
    )


def join_token(state: AppState, session: Session | Seat) -> str:
    """Return a token for the user of a session."""
    settings = state["settings"]
    participant = Participant(room=session.room, identity=session.identity)
    return mint_token(settings, participant, ttl_s=settings.token_ttl_s)


def proof_ends_in_s(call: Call) -> float:
    """Return for how long the caller's token is good; for ever where there is none."""
    return max(0.0, call.caller.user_until_s - time.time())


def patience_in_line_s(call: Call) -> float:
    """Return how often a place in line is looked at for a client that waits, which keeps it."""
    return min(_LOOK_AT_LINE_S, call.state["settings"].ticket_ttl_s / 3)


async def _changed_view(call: Call, since: int, wait_s: float) -> SessionView:
    """Return the session once it has another revision than that, or after a while.

    The answer comes earlier when the server is about to stop, or the client is gone. Who asks while
    it is about to stop, as one does who was just sent home, is held for a second: answered at once,
    the client would ask again at once.
    """
    watchers, request = call.state["watchers"], call.request
    closing = None if watchers.closing.is_set() else watchers.closing
    now = asyncio.get_running_loop().time
    ends_at = now() + (wait_s if closing else min(wait_s, _WAIT_WHILE_CLOSING_S))
    async with (
        watchers.watch(limit_key(call.caller.address)),
        call.state["feed"].subscribe(call.session.id) as changes,
    ):
        while True:
            # First of all: it may have changed before the subscription.
            async with watchers.turns:
                view = await look(call)
            left_s = ends_at - now()
            if view.revision != since or left_s <= 0 or (closing and closing.is_set()):
                return view
            if await request.is_disconnected():
                return view
            patience_s = min(left_s, proof_ends_in_s(call), _LOOK_AT_PROOF_S)
            if view.queue is not None:
                patience_s = min(patience_s, patience_in_line_s(call))
            waits = [changes.wait(patience_s), _gone(request)]
            await first_of(*waits, *([closing.wait()] if closing else []))


async def _gone(request: ApiRequest) -> None:
    """Wait until the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
