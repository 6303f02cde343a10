"""`POST /api/token`: a fresh token for a session, or LiveKit's standard token endpoint."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from rooms.tokens import Participant, mint_token
from sessions.assignment import Assignment
from sessions.errors import SessionOver
from sessions.ids import SessionId, new_identity, new_session_id, room_name
from tokenserver.auth import hash_secret, new_session_secret, owned_session
from tokenserver.bodies import checked, read_json
from tokenserver.errors import ApiError
from tokenserver.schemas import RejoinRequest, StandardTokenRequest
from tokenserver.state import ApiRequest


async def create_token(request: ApiRequest) -> Response:
    """Answer both forms; a body that names a session asks to rejoin it."""
    body = await read_json(request)
    if "sessionId" in body or "session_id" in body:
        return await _rejoin(request, checked(RejoinRequest, body))
    return _standard(request, checked(StandardTokenRequest, body))


async def _rejoin(request: ApiRequest, asked: RejoinRequest) -> Response:
    """A token for the same identity in the same room, as long as the session lives."""
    session = await owned_session(request, SessionId(asked.session_id), asked.session_secret)
    if session.is_over:
        raise SessionOver(session.status)
    settings = request.state["settings"]
    token = mint_token(
        settings,
        Participant(room=session.room, identity=session.identity),
        ttl_s=settings.token_ttl_s,
    )
    return _answer(request, session.id, token)


def _standard(request: ApiRequest, asked: StandardTokenRequest) -> Response:
    """A token for a fresh room, which sends for its agent when the user joins.

    Nothing is written and no slot is taken: clients fetch tokens they never use.
    """
    settings = request.state["settings"]
    if asked.agent_name not in ("", settings.agent_name):
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "unknown_agent", f"There is no agent {asked.agent_name!r} here."
        )
    session_id, identity, secret = new_session_id(), new_identity(), new_session_secret()
    assignment = Assignment(
        session_id=session_id,
        identity=identity,
        secret_hash=hash_secret(secret),
        admit_on_start=True,
    )
    participant = Participant(
        room=room_name(session_id),
        identity=identity,
        name=asked.participant_name,
        metadata=asked.participant_metadata,
        attributes=asked.participant_attributes,
    )
    token = mint_token(
        settings,
        participant,
        ttl_s=settings.token_ttl_s,
        agent_metadata=assignment.to_metadata(),
    )
    return _answer(request, session_id, token, {"sessionSecret": secret})


def _answer(
    request: ApiRequest, session_id: SessionId, token: str, more: dict[str, str] | None = None
) -> Response:
    """Both spellings: LiveKit's SDKs read snake_case, our own calls are camelCase."""
    server_url = request.state["settings"].public_url
    answer: dict[str, Any] = {
        "success": True,
        "server_url": server_url,
        "participant_token": token,
        "serverUrl": server_url,
        "participantToken": token,
        "sessionId": session_id,
        "roomName": room_name(session_id),
    }
    return JSONResponse(
        answer | (more or {}), status_code=HTTPStatus.CREATED, headers={"Cache-Control": "no-store"}
    )
