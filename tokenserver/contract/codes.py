"""What the codes of errors mean, for who writes a client."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

#: Possible with any path, so not listed with each call.
EVERYWHERE = frozenset({"not_found", "method_not_allowed", "internal_error", "cors_refused"})

CODES: Mapping[str, tuple[HTTPStatus, str]] = {
    "bad_request": (
        HTTPStatus.BAD_REQUEST,
        "The body, the query or a header is not as it has to be; the message says what. Sent "
        "again, it is refused again.",
    ),
    "invalid_input": (HTTPStatus.BAD_REQUEST, "An id, or a cursor, cannot be one of ours."),
    "unknown_agent": (
        HTTPStatus.BAD_REQUEST,
        "There is no agent of this name: leave `agent_name` out, or send `AGENT_NAME`.",
    ),
    "unknown_persona": (HTTPStatus.BAD_REQUEST, "None of `PERSONA` and `PERSONAS` is named so."),
    "cors_refused": (
        HTTPStatus.BAD_REQUEST,
        "A browser asked in advance, for an origin that is not among `CORS_ORIGINS`, or for a "
        "method or header that no call has.",
    ),
    "unauthorized": (
        HTTPStatus.UNAUTHORIZED,
        "There is no proof, or one that does not count (any more): sign in again, or send the "
        "right key.",
    ),
    "not_the_user": (
        HTTPStatus.FORBIDDEN,
        "An admin key gets no token for somebody's session: its user has to ask.",
    ),
    "wrong_user": (HTTPStatus.FORBIDDEN, "`userId` is not the user of the token. Leave it out."),
    "not_found": (HTTPStatus.NOT_FOUND, "There is nothing at this path."),
    "session_not_found": (
        HTTPStatus.NOT_FOUND,
        "There is no such session (any more), or it is somebody else's.",
    ),
    "worker_not_found": (HTTPStatus.NOT_FOUND, "There is no such worker (any more)."),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "This path has another method."),
    "body_too_slow": (HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time."),
    "idempotency_conflict": (
        HTTPStatus.CONFLICT,
        "The `Idempotency-Key` was used for another start before. Take a new one.",
    ),
    "session_over": (HTTPStatus.CONFLICT, "The session is over. Start a new one."),
    "still_waiting": (
        HTTPStatus.CONFLICT,
        "The session waits in line, and has no room yet. Ask for the session until it has.",
    ),
    "user_busy": (
        HTTPStatus.CONFLICT,
        "The user has a live session, or waits in line already; `USER_POLICY` and "
        "`USER_QUEUE_LIMIT` say what is allowed.",
    ),
    "body_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too long."),
    "unsupported_media_type": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Send the body as `Content-Type: application/json`.",
    ),
    "at_capacity": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "Every slot is taken, and the start did not want to wait. Try again later.",
    ),
    "queue_full": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "Every slot is taken, and so is every place in line. Try again later.",
    ),
    "rate_limited": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too much of this from you, or from all together. Wait for `Retry-After` seconds.",
    ),
    "internal_error": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "We have made a mistake. Our log has the `X-Request-ID`.",
    ),
    "livekit_refused": (
        HTTPStatus.BAD_GATEWAY,
        "LiveKit does not take our key, or our clock. An operator has to look.",
    ),
    "livekit_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "LiveKit does not answer. Try again."),
    "keys_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity provider does not answer, so that the token cannot be checked. Try again.",
    ),
    "store_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer. Try again."),
    "too_many_watchers": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "This server has no room for another long poll or stream. Ask without `wait`.",
    ),
    "wrong_schema": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The store is of another version of Voicefleet. An operator has to look.",
    ),
}
