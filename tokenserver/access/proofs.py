"""Secrets that prove something: how they are made, kept, and compared.

A session id alone proves nothing; its secret does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from sessions.model import Session
from tokenserver.access.settings import AccessSettings


def new_session_secret() -> str:
    """Return a secret of 256 random bits that proves ownership of one session."""
    return secrets.token_urlsafe(32)


def derived_session_secret(key: str, *parts: str) -> str:
    """Return a secret of 256 bits that only we can make, and make again of the same parts.

    A start that is asked for again under the same Idempotency-Key gets the same secret, from
    whichever server answers, although none keeps it.
    """
    message = "\n".join(("session secret", *parts)).encode("utf-8", "replace")
    digest = hmac.new(key.encode(), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret. It is random, so a plain hash cannot be reversed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def is_secret_of(session: Session, secret: str) -> bool:
    """Say whether a secret is the session's. A session without one has no such owner."""
    if not session.secret_hash:
        return False
    return hmac.compare_digest(hash_secret(secret), session.secret_hash)


def is_admin_key(settings: AccessSettings, proof: str) -> bool:
    """Say whether a bearer token is an admin key. Without a key set, nobody is an admin.

    Hashes are compared, so that neither content nor length can be timed.
    """
    given, is_known = hash_secret(proof), False
    for key in (settings.admin_api_key, settings.admin_api_key_previous):
        if key is not None:
            is_known |= hmac.compare_digest(given, hash_secret(key.get_secret_value()))
    return is_known


def looks_like_user_token(proof: str) -> bool:
    """Say whether a bearer token is a JSON web token; the secret of a session has no dots."""
    return proof.count(".") == 2


def bearer(authorization: str) -> str:
    """Return the bearer token of an Authorization header, or ""."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
