"""One JSON shape for every error: `{"success": false, "error": {code, message, retryAfter?}}`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rooms.errors import LiveKitRefused, LiveKitUnavailable
from sessions import errors as sessions
from tokenserver.access.keys import KeysUnavailable
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.errors import ApiError

logger = logging.getLogger("tokenserver")


#: What a domain error looks like from outside: status, message, seconds after which to retry.
_MEANINGS: dict[type[Exception], tuple[HTTPStatus, str, str, int | None]] = {
    sessions.SessionNotFound: (
        HTTPStatus.NOT_FOUND,
        sessions.SessionNotFound.code,
        "There is no such session, or it is not yours.",
        None,
    ),
    sessions.SessionOver: (
        HTTPStatus.CONFLICT,
        sessions.SessionOver.code,
        "The session is over. Start a new one.",
        None,
    ),
    sessions.AtCapacity: (
        HTTPStatus.TOO_MANY_REQUESTS,
        sessions.AtCapacity.code,
        "All agents are busy. Please try again shortly.",
        5,
    ),
    sessions.QueueFull: (
        HTTPStatus.TOO_MANY_REQUESTS,
        sessions.QueueFull.code,
        "All agents are busy, and too many people wait already. Please try again later.",
        30,
    ),
    sessions.UserBusy: (
        HTTPStatus.CONFLICT,
        sessions.UserBusy.code,
        "You have a session already. End it first.",
        5,
    ),
    sessions.RateLimited: (
        HTTPStatus.TOO_MANY_REQUESTS,
        sessions.RateLimited.code,
        "Too many sessions were started. Please wait a moment.",
        60,
    ),
    sessions.IdempotencyConflict: (
        HTTPStatus.CONFLICT,
        sessions.IdempotencyConflict.code,
        "This Idempotency-Key came with another request before. Use a new one.",
        None,
    ),
    sessions.InvalidInput: (
        HTTPStatus.BAD_REQUEST,
        sessions.InvalidInput.code,
        "An id in the request cannot be one.",
        None,
    ),
    sessions.StillWaiting: (
        HTTPStatus.CONFLICT,
        sessions.StillWaiting.code,
        "The session waits for a slot.",
        5,
    ),
    sessions.NotClaimed: (
        HTTPStatus.CONFLICT,
        sessions.NotClaimed.code,
        "The session has no agent yet.",
        None,
    ),
    sessions.WorkerNotFound: (
        HTTPStatus.NOT_FOUND,
        sessions.WorkerNotFound.code,
        "There is no such worker.",
        None,
    ),
    sessions.Deposed: (
        HTTPStatus.CONFLICT,
        sessions.Deposed.code,
        "Another supervisor leads by now.",
        None,
    ),
    sessions.WrongSchema: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        sessions.WrongSchema.code,
        "The session store belongs to another version; an operator has to look at the log.",
        None,
    ),
    sessions.StaleEpoch: (
        HTTPStatus.CONFLICT,
        sessions.StaleEpoch.code,
        "Another agent has taken over the session.",
        None,
    ),
    sessions.AgentAlreadyThere: (
        HTTPStatus.CONFLICT,
        sessions.AgentAlreadyThere.code,
        "The session has its agent already.",
        None,
    ),
    sessions.StoreUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        sessions.StoreUnavailable.code,
        "The session store does not answer. Please try again shortly.",
        2,
    ),
    InvalidUserToken: (
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "Your token is not accepted. Sign in again.",
        None,
    ),
    KeysUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "keys_unavailable",
        "Your token cannot be checked now: the identity provider does not answer.",
        5,
    ),
    LiveKitUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "livekit_unavailable",
        "The media server does not answer. Please try again shortly.",
        2,
    ),
    LiveKitRefused: (
        HTTPStatus.BAD_GATEWAY,
        "livekit_refused",
        "The media server refused our call; an operator has to look at our key and clock.",
        None,
    ),
}


def api_error(error: Exception) -> ApiError:
    """Return what to answer for an exception; a plain 500 for one nobody planned for."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return ApiError(status, status.phrase.lower().replace(" ", "_"), f"{error.detail}.")
    for kind, (status, code, message, retry_after_s) in _MEANINGS.items():
        if isinstance(error, kind):
            known_s = getattr(error, "retry_after_s", retry_after_s)
            return ApiError(status, code, message, retry_after_s=known_s)
    return ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side."
    )


async def answer_error(request: Request[Any], error: Exception) -> Response:
    """Exception handler of the application."""
    answer = api_error(error)
    if answer.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("unexpected error", exc_info=error, extra={"path": request.url.path})
    if isinstance(error, InvalidUserToken):
        logger.info("refused a user token", extra={"reason": str(error)})
    return refusal(answer, getattr(error, "headers", None) or {})


def refusal(error: ApiError, headers: Mapping[str, str]) -> Response:
    """Return an error in its one shape, with these headers and those that belong to it."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    headers = dict(headers)
    if error.retry_after_s is not None:
        body["retryAfter"] = error.retry_after_s
        headers["Retry-After"] = str(error.retry_after_s)
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        {"success": False, "error": body}, status_code=error.status, headers=headers
    )


#: Handed to Starlette. HTTPException covers unknown paths and methods.
HANDLED = (ApiError, HTTPException, *_MEANINGS, Exception)
