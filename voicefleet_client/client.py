"""A fleet: start sessions, come back to them, ask how it is doing."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2

from voicefleet_client.answers import understanding
from voicefleet_client.session import SessionHandle
from voicefleet_client.transport import TIMEOUT_S, Connected, TokenSource, Transport


class Voicefleet(Connected):
    """A fleet's API. `token` is a user's, or an admin key; without one, as anybody.

    For tokens that do not live long it is a function that returns one, async or not; it is called
    before each request that needs it. No call takes longer than `timeout_s`, repetitions included.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: TokenSource | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        super().__init__(Transport(base_url, token=token, timeout_s=timeout_s, http=http))

    async def start(
        self,
        *,
        user_id: str | None = None,
        may_wait: bool = True,
        remember: bool = False,
        persona: str | None = None,
        idempotency_key: str | None = None,
    ) -> SessionHandle:
        """Start a session, or get in line for one. Raises ApiError, Unreachable.

        `persona` is whom the user talks with, if the fleet offers several.

        A start that is not answered is repeated with the same key, so that it is one session. With
        a key of yours (16 to 128 characters, as hard to guess as a secret) you may repeat it
        yourself, after Unreachable for instance.
        """
        asked = {
            "userId": user_id,
            "queue": may_wait,
            "remember": remember,
            "persona": persona,
        }
        answer = await self._transport.call(
            "POST",
            "/api/session/start",
            body={name: value for name, value in asked.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        )
        with understanding():
            return SessionHandle.from_json(self._transport, answer)

    def session(self, session_id: str, secret: str | None = None) -> SessionHandle:
        """Return the handle of a session that was started before.

        Without its secret it is the token's user who asks, as with AUTH_MODE=jwt they may.
        """
        return SessionHandle(transport=self._transport, id=session_id, secret=secret)

    async def health(self) -> dict[str, Any]:
        """Return how the fleet is doing, also when that is badly. Raises ApiError, Unreachable."""
        return await self._transport.call("GET", "/api/health", is_any_status=True)
