"""`POST /livekit/webhook`: what LiveKit tells us about rooms becomes the state of sessions.

Deliveries may be repeated, late, or out of order; each step here is harmless when done twice.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.responses import Response

from rooms.errors import BadWebhook
from rooms.webhooks import MAX_WEBHOOK_BYTES, WebhookEvent, read_webhook
from sessions.errors import SessionNotFound, SessionOver
from sessions.ids import SessionId, session_of_room
from telemetry.metrics import WEBHOOKS
from tokenserver.access.rules import unauthorized
from tokenserver.contract.answers import WebhookApplied
from tokenserver.http.answers import answer
from tokenserver.http.bodies import read_bytes
from tokenserver.http.call import Call
from tokenserver.http.operation import handles
from tokenserver.state import AppState

logger = logging.getLogger("tokenserver")


@handles(
    "Take a webhook of LiveKit",
    raw_body=("application/webhook+json", WebhookEvent),
    answers={HTTPStatus.OK: WebhookApplied},
    needs_livekit=True,
)
async def receive_webhook(call: Call) -> Response:
    """Check and apply one event, unless it was applied before. A 5xx makes LiveKit repeat it.

    It counts as applied only afterwards: what fails half-way is done again, which does no harm.
    """
    event = await _checked_event(call)
    session_id = session_of_room(event.room.name)
    if session_id is not None:  # the names of others' rooms are nobody's business
        call.note(session_id=session_id, room=event.room.name, event=event.event)
    outcome = await _outcome(call.state, event, session_id)
    call.state["meter"].count(WEBHOOKS, result=outcome)
    return answer(WebhookApplied(applied=outcome == "applied"))


async def _outcome(state: AppState, event: WebhookEvent, session_id: SessionId | None) -> str:
    """Do what an event asks for, once; return what came of it, for the metrics."""
    if session_id is None:
        return "foreign_room"
    if not _matters(event):
        return "of_no_matter"
    store = state["store"]
    try:
        if event.event == "room_started":
            # Only a look, for every session: to remember it would cost more than to repeat it.
            return await _close_if_over(state, session_id)
        if await store.journal.is_event_applied(event.id):
            return "repeated"
        await _apply(state, event, session_id)
        await store.journal.mark_event_applied(event.id)
    except SessionNotFound:
        # A room of the standard token endpoint: its session begins when the agent admits it.
        logger.info(
            "a room without a session",
            extra={"session_id": session_id, "room": event.room.name, "event": event.event},
        )
        return "unknown_session"
    return "applied"


def _matters(event: WebhookEvent) -> bool:
    """Say whether an event can change a session. Most are about tracks, and about agents."""
    return event.event in {"room_started", "room_finished"} or (
        event.event == "participant_joined" and event.is_of_user
    )


async def _checked_event(call: Call) -> WebhookEvent:
    authorization = call.request.headers.get("authorization", "")
    body = await read_bytes(call.request, MAX_WEBHOOK_BYTES)
    try:
        return read_webhook(call.state["settings"], body, authorization)
    except BadWebhook as error:
        logger.warning("refused a webhook", extra={"reason": str(error)})
        call.state["meter"].count(WEBHOOKS, result="refused")
        raise unauthorized("This webhook is not signed by our server.") from None


async def _apply(state: AppState, event: WebhookEvent, session_id: SessionId) -> None:
    try:
        if event.event == "participant_joined":
            await state["store"].mark_joined(session_id)
        else:
            await state["store"].mark_closed(session_id)
    except SessionOver:
        await _close_again(state, session_id, event.room.name)


async def _close_if_over(state: AppState, session_id: SessionId) -> str:
    """A token that outlived its session can open the room again; it is closed at once."""
    session = await state["store"].get(session_id)
    if not session.is_over:
        return "of_no_matter"
    await _close_again(state, session_id, session.room)
    return "applied"


async def _close_again(state: AppState, session_id: SessionId, room: str) -> None:
    await state["rooms"].close(room)
    fields = {"session_id": session_id, "room": room}
    logger.info("closed a room that was opened again", extra=fields)
