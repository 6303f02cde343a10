"""Sessions over HTTP: start one, look at it, stop it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.responses import Response

from rooms.errors import RoomsError
from rooms.tokens import Participant, mint_token
from sessions.assignment import Assignment
from sessions.errors import (
    AtCapacity,
    IdempotencyConflict,
    NotAdmitted,
    QueueFull,
    RateLimited,
    SessionOver,
    StoreUnavailable,
    UserBusy,
)
from sessions.model import Admission, Outcome, Place, Session
from sessions.states import TERMINAL, State
from telemetry.metrics import ApiMetrics
from tokenserver.access.addresses import limit_key
from tokenserver.access.proofs import is_secret_of
from tokenserver.contract.answers import QueuePlace, SessionView, Started, Waiting
from tokenserver.contract.requests import LookQuery, StartHeaders, StartRequest, StopRequest
from tokenserver.contract.views import MESSAGES, may_join, session_view
from tokenserver.endpoints.admission import Applicant, Seat, applicant
from tokenserver.http.answers import answer
from tokenserver.http.call import ApiRequest, Call
from tokenserver.http.operation import handles
from tokenserver.state import AppState
from tokenserver.watchers import TOO_MANY_WATCHERS, first_of

logger = logging.getLogger("tokenserver")

#: How old the place in line may be that a waiting client knows.
_LOOK_AT_LINE_S = 2.0
_NOT_STARTED = "The media server did not open a room. Please try again."


@handles(
    "Start a session",
    body=StartRequest,
    headers=StartHeaders,
    answers={HTTPStatus.CREATED: Started, HTTPStatus.ACCEPTED: Waiting},
    errors=(AtCapacity, QueueFull, UserBusy, RateLimited, IdempotencyConflict, SessionOver),
    codes=((HTTPStatus.FORBIDDEN, "wrong_user"),),
    needs_livekit=True,
)
async def start_session(call: Call) -> Response:
    """Admit a session, open its room with an agent on its way, and hand out the token.

    It does not wait for the agent: that comes while the client still connects. When every slot is
    taken, the answer is 202 with a place in line; ask for the session, and once it is admitted the
    answer has the token.
    """
    began, applicant_ = time.perf_counter(), applicant(call)
    with _counting_refusals(call.state["metrics"]):
        # Asked first: with LiveKit away nothing is to be taken, and nothing to be given back.
        call.state["rooms"].breaker.require()
        admission = await call.state["store"].admit(
            applicant_.newcomer,
            policy=applicant_.policy,
            may_wait=call.asked(StartRequest).queue,
            idempotency=applicant_.idempotency,
        )
        seat = await _seat(call.state, applicant_, admission)
        if seat.status is State.STARTING and seat.is_new:
            await _open_room(call.state, seat, is_ours=admission.outcome is Outcome.NEW)
    latency_ms = round((time.perf_counter() - began) * 1000, 1)
    call.state["metrics"].starts.labels(_outcome(admission)).inc()
    logger.info(
        "session started",
        extra={
            "session_id": seat.id,
            "outcome": admission.outcome,
            "status": seat.status,
            "latency_ms": latency_ms,
        },
    )
    if seat.status is State.QUEUED:
        waiting = _waiting(seat, admission, applicant_.secret, latency_ms)
        return answer(waiting, HTTPStatus.ACCEPTED)
    return answer(_started(call.state, seat, applicant_.secret, latency_ms), HTTPStatus.CREATED)


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


@handles("Stop a session", body=StopRequest, answers={HTTPStatus.OK: SessionView})
async def stop_session(call: Call) -> Response:
    """End a session, free its slot at once, and close its room. Stopping twice is fine."""
    return await stop(call)


@handles("Stop any session", answers={HTTPStatus.OK: SessionView})
async def stop_any_session(call: Call) -> Response:
    """End a session, as its owner could. Stopping twice is fine."""
    return await stop(call)


async def stop(call: Call) -> Response:
    """End the session of a call and close its room."""
    store, session = call.state["store"], call.session
    ended = await store.end(session.id)
    if ended.status is State.ENDING and await _close_room(call.state, session.room):
        await store.mark_closed(session.id)
    return answer(session_view(await store.get(session.id)))


async def look(call: Call, session: Session | None = None) -> SessionView:
    """Return a session as it is now, to its owner with a token where one is needed.

    One that was read just now is not read again. Raises SessionNotFound.
    """
    store = call.state["store"]
    session = session or await store.get(call.session.id)
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


def patience_in_line_s(call: Call) -> float:
    """Return how often a place in line is looked at for a client that waits, which keeps it."""
    return min(_LOOK_AT_LINE_S, call.state["settings"].ticket_ttl_s / 3)


async def _changed_view(call: Call, since: int, wait_s: float) -> SessionView:
    """Return the session once it has another revision than that, or after a while.

    The answer comes earlier when the server is about to stop, or the client is gone.
    """
    watchers, request = call.state["watchers"], call.request
    now = asyncio.get_running_loop().time
    ends_at = now() + wait_s
    async with (
        watchers.watch(limit_key(call.caller.address)),
        call.state["feed"].subscribe(call.session.id) as changes,
    ):
        while True:
            # First of all: it may have changed before the subscription.
            async with watchers.turns:
                view = await look(call)
            left_s = ends_at - now()
            if view.revision != since or left_s <= 0 or watchers.closing.is_set():
                return view
            if await request.is_disconnected():
                return view
            patience_s = left_s if view.queue is None else min(left_s, patience_in_line_s(call))
            await first_of(changes.wait(patience_s), watchers.closing.wait(), _gone(request))


async def _gone(request: ApiRequest) -> None:
    """Wait until the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _seat(state: AppState, who: Applicant, admission: Admission) -> Seat:
    """Return the session that a start came to: its own, or the one that was there.

    Raises SessionOver for one that is over, IdempotencyConflict when its secret was changed since.
    """
    if admission.outcome is Outcome.NEW:
        return Seat.of_newcomer(who.newcomer, admission)
    session = await state["store"].get(admission.session_id)
    if session.is_over:
        raise SessionOver(session.status)
    # One that was resumed is the user's, whichever tab has the last secret.
    if admission.outcome is Outcome.KNOWN and not is_secret_of(session, who.secret):
        raise IdempotencyConflict(session.id)
    return Seat.of_session(session)


async def _open_room(state: AppState, seat: Seat, *, is_ours: bool) -> None:
    """Open the room with its agent. Twice is once: in a room that is there, nothing happens.

    Only who began the session may fail it: by now an agent may be in it that was sent before.
    """
    assignment = Assignment(
        session_id=seat.id, user_id=seat.user_id, identity=seat.identity, epoch=seat.epoch
    )
    try:
        await state["rooms"].open(seat.room, assignment.to_metadata())
    except RoomsError:
        if is_ours:
            await state["store"].fail(seat.id, _NOT_STARTED)
        raise


async def _close_room(state: AppState, room: str) -> bool:
    try:
        await state["rooms"].close(room)
    except RoomsError as error:
        # The session stays `ending`: the supervisor tries again.
        logger.warning("could not close a room", extra={"room": room, "reason": str(error)})
        return False
    return True


@contextmanager
def _counting_refusals(metrics: ApiMetrics) -> Iterator[None]:
    """Count a start that came to nothing: refused by the store, or failed by a neighbour."""
    try:
        yield
    except (NotAdmitted, SessionOver):
        metrics.starts.labels("refused").inc()
        raise
    except (StoreUnavailable, RoomsError):
        metrics.starts.labels("failed").inc()
        raise


def _outcome(admission: Admission) -> str:
    """Name what came of a start, for the metrics."""
    if admission.outcome is Outcome.NEW:
        return "queued" if admission.status is State.QUEUED else "started"
    return "resumed" if admission.outcome is Outcome.RESUMED else "repeated"


def _started(state: AppState, seat: Seat, secret: str, latency_ms: float) -> Started:
    return Started(
        session_id=seat.id,
        status=seat.status,
        message=MESSAGES[seat.status],
        # Known once an agent has claimed the session; `GET /api/session/{id}` tells.
        prewarmed=seat.prewarmed,
        session_secret=secret,
        room_name=seat.room,
        server_url=state["settings"].public_url,
        participant_token=join_token(state, seat),
        latency_ms=latency_ms,
    )


def _waiting(seat: Seat, place: Place, secret: str, latency_ms: float) -> Waiting:
    queue = QueuePlace.of(place)
    if queue is None:
        raise LookupError("a session that waits has a place")
    return Waiting(
        session_id=seat.id,
        status=State.QUEUED,
        message=MESSAGES[State.QUEUED],
        session_secret=secret,
        room_name=seat.room,
        latency_ms=latency_ms,
        estimated_wait=queue.eta_seconds,
        queue=queue,
    )
