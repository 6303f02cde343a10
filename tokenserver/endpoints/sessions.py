"""Sessions over HTTP: start one, stop one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.responses import Response

from rooms.errors import RoomsError
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
from sessions.ids import UserId
from sessions.model import Admission, Outcome, Place, Session
from sessions.states import State
from telemetry.meter import Meter
from telemetry.metrics import REJECTS, STARTS
from telemetry.tracing import Step, root_span
from tokenserver.contract.answers import QueuePlace, SessionView, Started, Waiting
from tokenserver.contract.queries import StartHeaders
from tokenserver.contract.requests import StartRequest, StopRequest
from tokenserver.contract.views import MESSAGES, session_view
from tokenserver.endpoints.admission import Applicant, Seat, applicant
from tokenserver.endpoints.looks import join_token
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles
from tokenserver.start_trace import StartTrace, dispatch_traced
from tokenserver.state import AppState

logger = logging.getLogger("tokenserver")

_NOT_STARTED = "The media server did not open a room. Please try again."


@handles(
    "Start a session",
    body=StartRequest,
    headers=StartHeaders,
    answers={HTTPStatus.CREATED: Started, HTTPStatus.ACCEPTED: Waiting},
    errors=(AtCapacity, QueueFull, UserBusy, RateLimited, IdempotencyConflict, SessionOver),
    codes=((HTTPStatus.BAD_REQUEST, "unknown_persona"), (HTTPStatus.FORBIDDEN, "wrong_user")),
    needs_livekit=True,
)
async def start_session(call: Call) -> Response:
    """Admit a session, open its room with an agent on its way, and hand out the token.

    It does not wait for the agent: that comes while the client still connects. When every slot is
    taken, the answer is 202 with a place in line; ask for the session, and once it is admitted the
    answer has the token.
    """
    began, applicant_ = time.perf_counter(), applicant(call)
    trace = StartTrace(call, applicant_.newcomer.id)
    with trace, _counting_refusals(call.state["meter"]):
        # Asked first: with LiveKit away nothing is to be taken, and nothing to be given back.
        call.state["rooms"].breaker.require()
        admission = await call.state["store"].admit(
            applicant_.newcomer,
            policy=applicant_.policy,
            may_wait=call.asked(StartRequest).queue,
            idempotency=applicant_.idempotency,
        )
        trace.note(admission)
        seat = await _seat(call.state, applicant_, admission)
        if seat.status is State.STARTING and seat.is_new:
            is_ours = admission.outcome is Outcome.NEW
            returning = applicant_.known_user if is_ours else None
            await _open_room(call.state, seat, is_ours=is_ours, returning=returning)
    latency_ms = round((time.perf_counter() - began) * 1000, 1)
    call.state["meter"].count(STARTS, outcome=_outcome(admission))
    call.note(**seat.log_fields, outcome=admission.outcome, session_status=seat.status)
    if seat.status is State.QUEUED:
        waiting = _waiting(seat, admission, latency_ms)
        return answer(waiting, HTTPStatus.ACCEPTED)
    return answer(_started(call.state, seat, latency_ms), HTTPStatus.CREATED)


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
    with call.state["traces"].span(session.id, Step.STOP, parent=root_span(session.id)):
        ended = await store.end(session.id)
        # A room of somebody else's stays: only the agent leaves it, with its next heartbeat.
        is_done = ended.status is State.ENDING and (
            session.foreign_room is not None or await _close_room(call.state, session)
        )
        if is_done:
            await store.mark_closed(session.id)
    return answer(session_view(await store.get(session.id)))


async def _seat(state: AppState, who: Applicant, admission: Admission) -> Seat:
    """Return the session that a start came to: its own, or the one that was there.

    Raises SessionOver for one that is over, IdempotencyConflict when its secret was changed since.
    """
    if admission.outcome is Outcome.NEW:
        return Seat.of_newcomer(who.newcomer, admission, who.secret)
    session = await state["store"].get(admission.session_id)
    if session.is_over:
        raise SessionOver(session.status)
    if admission.outcome is Outcome.RESUMED:
        # It is the user's, whichever tab has the last secret.
        return Seat.of_session(session, who.secret)
    secret = who.secret_for(session)
    if secret is None:
        raise IdempotencyConflict(session.id)
    return Seat.of_session(session, secret)


async def _open_room(
    state: AppState, seat: Seat, *, is_ours: bool, returning: UserId | None
) -> None:
    """Open the room with its agent. Twice is once: in a room that is there, nothing happens.

    Only who began the session may fail it: by now an agent may be in it that was sent before. A
    user who may be `returning` is given the worker they had.
    """
    affinity = state["affinity"]
    assignment = Assignment(
        session_id=seat.id,
        user_id=seat.user_id,
        identity=seat.identity,
        epoch=seat.epoch,
        remember=seat.is_remembered,
        persona=seat.persona,
        prefer=None if returning is None else await affinity.worker_for(returning),
    )
    try:
        with dispatch_traced(state["traces"], seat.id, seat.epoch, is_ours=is_ours):
            await state["rooms"].open(seat.room, assignment.to_metadata())
    except RoomsError:
        if is_ours:
            await state["store"].fail(seat.id, _NOT_STARTED, is_undone=True)
        raise
    if assignment.prefer is not None:
        affinity.watch(assignment)


async def _close_room(state: AppState, session: Session) -> bool:
    try:
        await state["rooms"].close(session.room)
    except RoomsError as error:
        # The session stays `ending`: the supervisor tries again.
        fields = {**session.log_fields, "reason": str(error)}
        logger.warning("could not close a room", extra=fields)
        return False
    return True


@contextmanager
def _counting_refusals(meter: Meter) -> Iterator[None]:
    """Count a start that came to nothing: refused by the store, or failed by a neighbour."""
    try:
        yield
    except (NotAdmitted, SessionOver) as error:
        meter.count(STARTS, outcome="refused")
        meter.count(REJECTS, reason=error.code)
        raise
    except (StoreUnavailable, RoomsError):
        meter.count(STARTS, outcome="failed")
        raise


def _outcome(admission: Admission) -> str:
    """Name what came of a start, for the metrics."""
    if admission.outcome is Outcome.NEW:
        return "queued" if admission.status is State.QUEUED else "started"
    return "resumed" if admission.outcome is Outcome.RESUMED else "repeated"


def _started(state: AppState, seat: Seat, latency_ms: float) -> Started:
    return Started(
        session_id=seat.id,
        status=seat.status,
        message=MESSAGES[seat.status],
        # Known once an agent has claimed the session; `GET /api/session/{id}` tells.
        prewarmed=seat.prewarmed,
        session_secret=seat.secret,
        room_name=seat.room,
        server_url=state["settings"].public_url,
        participant_token=join_token(state, seat),
        latency_ms=latency_ms,
    )


def _waiting(seat: Seat, place: Place, latency_ms: float) -> Waiting:
    queue = QueuePlace.of(place)
    if queue is None:
        raise LookupError("a session that waits has a place")
    return Waiting(
        session_id=seat.id,
        status=State.QUEUED,
        message=MESSAGES[State.QUEUED],
        session_secret=seat.secret,
        room_name=seat.room,
        latency_ms=latency_ms,
        estimated_wait=queue.eta_seconds,
        queue=queue,
    )
