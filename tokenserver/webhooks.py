"""`POST /livekit/webhook`: what LiveKit tells us about rooms becomes the state of sessions.

Deliveries may be repeated, late, or out of order; each step here is harmless when done twice.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from rooms.errors import BadWebhook
from rooms.webhooks import MAX_WEBHOOK_BYTES, RoomEvent, read_webhook
from sessions.errors import SessionNotFound, SessionOver
from sessions.ids import SessionId, session_of_room
from tokenserver.bodies import read_bytes
from tokenserver.errors import ApiError
from tokenserver.state import ApiRequest

logger = logging.getLogger("tokenserver")


async def receive_webhook(request: ApiRequest) -> Response:
    """Check and apply one event, unless it was applied before. A 5xx makes LiveKit repeat it.

    It counts as applied only afterwards: what fails half-way is done again, which does no harm.
    """
    event = await _checked_event(request)
    session_id = session_of_room(event.room)
    store = request.state["store"]
    if session_id is None or await store.is_event_applied(event.id):
        return JSONResponse({"success": True, "applied": False})
    await _apply(request, event, session_id)
    await store.mark_event_applied(event.id)
    return JSONResponse({"success": True, "applied": True})


async def _checked_event(request: ApiRequest) -> RoomEvent:
    authorization = request.headers.get("authorization", "")
    body = await read_bytes(request, MAX_WEBHOOK_BYTES)
    try:
        return read_webhook(request.state["settings"], body, authorization)
    except BadWebhook as error:
        logger.warning("refused a webhook", extra={"reason": str(error)})
        raise ApiError(
            HTTPStatus.UNAUTHORIZED, "bad_signature", "This webhook is not signed by our server."
        ) from None


async def _apply(request: ApiRequest, event: RoomEvent, session_id: SessionId) -> None:
    store = request.state["store"]
    try:
        match event.kind:
            case "room_started":
                await _close_if_over(request, session_id)
            case "participant_joined" if event.is_user:
                await store.mark_joined(session_id)
            case "room_finished":
                await store.mark_closed(session_id)
    except SessionNotFound:
        # A room of the standard token endpoint: its session begins when the agent claims it.
        logger.info("a room without a session", extra={"room": event.room, "event": event.kind})
    except SessionOver:
        await _close_again(request, event.room)


async def _close_if_over(request: ApiRequest, session_id: SessionId) -> None:
    """A token that outlived its session can open the room again; it is closed at once."""
    session = await request.state["store"].get(session_id)
    if session.is_over:
        await _close_again(request, session.room)


async def _close_again(request: ApiRequest, room: str) -> None:
    await request.state["rooms"].close(room)
    logger.info("closed a room that was opened again", extra={"room": room})
