"""Users of the identity provider, and what they start."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2

from tests.integration.tokenserver.conftest import ADMIN_KEY, bearer
from tests.support.identity_provider import IdentityProvider, rsa_key

ADMIN = bearer(ADMIN_KEY)


def new_user() -> str:
    """Return a user whom no other test knows."""
    return f"user.{secrets.token_hex(6)}@example.com"


def as_user(provider: IdentityProvider, user: str) -> dict[str, str]:
    """Return the headers of a user's call."""
    return bearer(provider.token(rsa_key(), claims={"sub": user}))


async def start_as(http: httpx2.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    """Start a session; it is admitted."""
    answer = await http.post("/api/session/start", headers=headers)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def view_of(http: httpx2.AsyncClient, session_id: str) -> dict[str, Any]:
    """Return a session as an admin sees it."""
    answer = await http.get(f"/api/session/{session_id}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def stop_any(http: httpx2.AsyncClient, session_id: str) -> None:
    """Stop a session as an admin."""
    answer = await http.post(f"/api/session/{session_id}/stop", headers=ADMIN)
    assert answer.status_code == 200, answer.text
