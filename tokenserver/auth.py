"""Who may touch which session. A session id alone proves nothing; its secret does."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http import HTTPStatus

from sessions.errors import SessionNotFound
from sessions.ids import SessionId
from sessions.model import Session
from tokenserver.errors import ApiError
from tokenserver.state import ApiRequest


def new_session_secret() -> str:
    """Return a secret of 256 random bits that proves ownership of one session."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret. It is random, so a plain hash cannot be reversed."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def owned_session(
    request: ApiRequest, session_id: SessionId, secret: str | None = None
) -> Session:
    """Return a session to its owner or an admin.

    The proof is the bearer header, or ``secret`` where a body carries one. Raises ApiError 401
    without any proof, and SessionNotFound with a wrong one, so that ids cannot be probed.
    """
    proof = bearer(request) or secret
    if not proof:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "Send the sessionSecret that start returned as `Authorization: Bearer …`.",
        )
    session = await request.state["store"].get(session_id)
    if is_admin(request) or hmac.compare_digest(hash_secret(proof), session.secret_hash):
        return session
    raise SessionNotFound(session_id)


def is_admin(request: ApiRequest) -> bool:
    """Say whether the request carries the admin key. Without a key set, nobody is an admin."""
    key = request.state["settings"].admin_api_key
    if key is None:
        return False
    # Hashes are compared, so that neither content nor length can be timed.
    return hmac.compare_digest(hash_secret(bearer(request)), hash_secret(key.get_secret_value()))


def bearer(request: ApiRequest) -> str:
    """Return the bearer token of a request, or ""."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
