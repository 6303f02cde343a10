"""Sessions over HTTP: start one, look at it, stop it."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from rooms.errors import RoomsError
from rooms.tokens import Participant, mint_token
from sessions.assignment import Assignment
from sessions.errors import SessionNotFound
from sessions.ids import (
    SessionId,
    UserId,
    new_identity,
    new_session_id,
    parse_session_id,
)
from sessions.model import Newcomer
from tokenserver.auth import hash_secret, new_session_secret, owned_session
from tokenserver.bodies import checked, read_json
from tokenserver.schemas import StartRequest, StopRequest, session_view
from tokenserver.state import ApiRequest

logger = logging.getLogger("tokenserver")

_NOT_STARTED = "The media server did not open a room. Please try again."


async def start_session(request: ApiRequest) -> Response:
    """Admit a session, open its room with an agent on its way, and hand out the token.

    It does not wait for the agent: that comes while the client still connects.
    """
    began = time.perf_counter()
    asked = checked(StartRequest, await read_json(request))
    secret = new_session_secret()
    newcomer = _newcomer(asked.user_id, secret)
    admitted = await request.state["store"].admit(newcomer)
    await _open_room(request, newcomer, admitted.epoch)
    settings = request.state["settings"]
    token = mint_token(
        settings,
        Participant(room=newcomer.room, identity=newcomer.identity),
        ttl_s=settings.token_ttl_s,
    )
    latency_ms = round((time.perf_counter() - began) * 1000, 1)
    logger.info("session started", extra={"session_id": newcomer.id, "latency_ms": latency_ms})
    return JSONResponse(
        {
            "success": True,
            "sessionId": newcomer.id,
            "status": admitted.status,
            "message": "An agent is on its way.",
            # Known once an agent has claimed the session; `GET /api/session/{id}` tells.
            "prewarmed": None,
            "sessionSecret": secret,
            "roomName": newcomer.room,
            "serverUrl": settings.public_url,
            "participantToken": token,
            "latencyMs": latency_ms,
        },
        status_code=HTTPStatus.CREATED,
        headers={"Cache-Control": "no-store"},
    )


async def get_session(request: ApiRequest) -> Response:
    """Show a session to its owner or an admin."""
    session_id = parse_session_id(request.path_params["session_id"])
    if session_id is None:
        raise SessionNotFound
    session = await owned_session(request, session_id)
    return JSONResponse(session_view(session), headers={"Cache-Control": "no-store"})


async def stop_session(request: ApiRequest) -> Response:
    """End a session, free its slot at once, and close its room. Stopping twice is fine."""
    asked = checked(StopRequest, await read_json(request))
    session = await owned_session(request, SessionId(asked.session_id), asked.session_secret)
    store = request.state["store"]
    await store.end(session.id)
    if await _close_room(request, session.room):
        await store.mark_closed(session.id)
    return JSONResponse(session_view(await store.get(session.id)))


def _newcomer(user_id: str | None, secret: str) -> Newcomer:
    return Newcomer(
        id=new_session_id(),
        user_id=None if user_id is None else UserId(user_id),
        identity=new_identity(),
        secret_hash=hash_secret(secret),
    )


async def _open_room(request: ApiRequest, newcomer: Newcomer, epoch: int) -> None:
    assignment = Assignment(
        session_id=newcomer.id, user_id=newcomer.user_id, identity=newcomer.identity, epoch=epoch
    )
    try:
        await request.state["rooms"].open(newcomer.room, assignment.to_metadata())
    except RoomsError:
        await request.state["store"].fail(newcomer.id, _NOT_STARTED)
        raise


async def _close_room(request: ApiRequest, room: str) -> bool:
    try:
        await request.state["rooms"].close(room)
    except RoomsError as error:
        # The session stays `ending`: the supervisor tries again.
        logger.warning("could not close a room", extra={"room": room, "reason": str(error)})
        return False
    return True
