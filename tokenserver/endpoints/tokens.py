"""`POST /api/token`: a fresh token for a session, or LiveKit's standard token endpoint."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from rooms.tokens import Participant, mint_token
from sessions.assignment import Assignment
from sessions.errors import SessionOver, StillWaiting
from sessions.ids import SessionId, new_identity, new_session_id, room_name
from sessions.model import UserPolicy
from telemetry.tracing import Step, root_span
from tokenserver.access.proofs import hash_secret, new_session_secret
from tokenserver.access.rules import is_theirs
from tokenserver.contract.answers import TokenAnswer
from tokenserver.contract.requests import StandardTokenRequest, TokenRequest
from tokenserver.endpoints.admission import charged_caller, offered_persona
from tokenserver.endpoints.looks import join_token
from tokenserver.errors import ApiError
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles
from tokenserver.start_trace import caller_span


@handles(
    "Get a token",
    body=TokenRequest,
    answers={HTTPStatus.CREATED: TokenAnswer},
    errors=(SessionOver, StillWaiting),
    codes=(
        (HTTPStatus.BAD_REQUEST, "unknown_agent"),
        (HTTPStatus.BAD_REQUEST, "unknown_persona"),
        (HTTPStatus.FORBIDDEN, "not_the_user"),
    ),
)
async def create_token(call: Call) -> Response:
    """Return a token to join with.

    A body with `sessionId` asks to come back to a session: same room, same identity. Any other is
    LiveKit's standard request: a token for a fresh room, which sends for its agent when the user
    joins. Until then nothing is written and no slot is taken: clients fetch tokens they never use.
    """
    if isinstance(call.body, StandardTokenRequest):
        return _standard(call, call.body)
    session = call.session
    if not is_theirs(call, session):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            "not_the_user",
            "An admin may look at a session and stop it, not speak in it.",
        )
    if session.is_over:
        raise SessionOver(session.status)
    if not session.holds_slot:
        raise StillWaiting(session.status)
    return _answer(call, session.id, join_token(call.state, session))


def _standard(call: Call, asked: StandardTokenRequest) -> Response:
    settings = call.state["settings"]
    if asked.agent_name not in ("", settings.agent_name):
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "unknown_agent", f"There is no agent {asked.agent_name!r} here."
        )
    session_id, identity, secret = new_session_id(), new_identity(), new_session_secret()
    assignment = Assignment(
        session_id=session_id,
        user_id=call.caller.user_id,
        identity=identity,
        persona=offered_persona(call, asked.asked_persona),
        secret_hash=hash_secret(secret),
        admit_on_start=True,
        caller=charged_caller(call),
        policy=_policy(call),
    )
    participant = Participant(
        room=room_name(session_id),
        identity=identity,
        name=asked.participant_name,
        metadata=asked.participant_metadata,
        attributes=asked.participant_attributes,
    )
    traced = call.state["traces"].span(
        session_id,
        Step.STANDARD,
        parent=None,
        own_id=root_span(session_id),
        link=caller_span(call),
    )
    with traced:
        token = mint_token(
            settings,
            participant,
            ttl_s=settings.token_ttl_s,
            agent_metadata=assignment.to_metadata(),
        )
    call.note(**assignment.log_fields)
    return _answer(call, session_id, token, secret)


def _policy(call: Call) -> UserPolicy:
    """Return what the join means for a user who has a live session.

    It cannot be resumed in another room than its own, so the new one takes its place.
    """
    if call.caller.user_id is None:
        return UserPolicy.ALLOW
    policy = call.state["settings"].user_policy
    return UserPolicy.REPLACE if policy is UserPolicy.RESUME else policy


def _answer(call: Call, session_id: SessionId, token: str, secret: str | None = None) -> Response:
    server_url = call.state["settings"].public_url
    value = TokenAnswer(
        server_url=server_url,
        participant_token=token,
        serverUrl=server_url,
        participantToken=token,
        sessionId=session_id,
        roomName=room_name(session_id),
        sessionSecret=secret,
    )
    return answer(value, HTTPStatus.CREATED, is_sparse=True)
