"""Sessions: start one, follow it, stop it."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2

from voicefleet_client.errors import ApiError, Unreachable, VoicefleetError
from voicefleet_client.models import (
    QueuePlace,
    SessionView,
    Token,
    place_from_json,
    token_from_json,
)
from voicefleet_client.transport import Connected, Transport, understanding

#: The server sends a line every 15 s.
_SILENCE_S = 45.0
_PAUSE_S = 1.0
#: A server that restarts is back by then, and so is a network that changes.
_PATIENCE_S = 60.0


class Voicefleet(Connected):
    """A fleet's API. `token` is a user's, or an admin key; without one, as anybody."""

    def __init__(
        self, base_url: str, *, token: str | None = None, http: httpx2.AsyncClient | None = None
    ) -> None:
        super().__init__(Transport(base_url, bearer=token, http=http))

    async def start(
        self,
        *,
        user_id: str | None = None,
        may_wait: bool = True,
        remember: bool = False,
        idempotency_key: str | None = None,
    ) -> SessionHandle:
        """Start a session, or get in line for one. Raises ApiError, Unreachable.

        The same key may be sent again, after Unreachable for instance: it is the same session.
        Without one, a key is made, which makes a call safe to be repeated below us.
        """
        asked = {"userId": user_id, "queue": may_wait, "remember": remember}
        answer = await self._transport.call(
            "POST",
            "/api/session/start",
            body={name: value for name, value in asked.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        )
        with understanding():
            return SessionHandle.from_json(self._transport, answer)

    def session(self, session_id: str, secret: str) -> SessionHandle:
        """Return the handle of a session that was started before."""
        return SessionHandle(transport=self._transport, id=session_id, secret=secret)

    async def health(self) -> dict[str, Any]:
        """Return how the fleet is doing. Raises ApiError, Unreachable."""
        return await self._transport.call("GET", "/api/health")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHandle:
    """One session of ours, with the secret that proves it."""

    transport: Transport = field(repr=False)
    id: str
    secret: str = field(repr=False)
    #: What start said; `view` and `follow` say it as it is now.
    token: Token | None = None
    queue: QueuePlace | None = None

    @classmethod
    def from_json(cls, transport: Transport, value: dict[str, Any]) -> Self:
        """Read the answer to a start."""
        return cls(
            transport=transport,
            id=value["sessionId"],
            secret=value["sessionSecret"],
            token=token_from_json(value),
            queue=place_from_json(value.get("queue")),
        )

    async def view(self, *, wait_s: float = 0, since: int | None = None) -> SessionView:
        """Return the session; with `wait_s`, once it has changed, or after that time."""
        query = {"wait": wait_s} | ({} if since is None else {"since": since})
        answer = await self._call("GET", "", query=query, timeout_s=wait_s + 15)
        with understanding():
            return SessionView.from_json(answer)

    async def follow(self, *, patience_s: float = _PATIENCE_S) -> AsyncGenerator[SessionView]:
        """Yield the session whenever it changes, until it is over; keeps a place in line.

        Broken connections are made again, and so are calls that were refused for a while. Raises
        ApiError for any other refusal, and what went wrong last after `patience_s` without answer.
        """
        last, heard_at = "", time.monotonic()

        async def heard(lines: AsyncIterator[str]) -> AsyncIterator[str]:
            nonlocal heard_at
            async for line in lines:
                # A stream that says nothing we understand is not heard at all.
                heard_at = time.monotonic() if last else heard_at
                yield line

        while True:
            pause_s = _PAUSE_S
            try:
                async with self._stream(last) as lines:
                    if lines is None:
                        return
                    async for event_id, view in _events(heard(lines)):
                        last = event_id
                        yield view
                        if view.is_over:
                            return
                        heard_at = time.monotonic()
            except VoicefleetError as error:
                if not _is_passing(error) or _is_past(heard_at + patience_s):
                    raise
                pause_s = max(pause_s, getattr(error, "retry_after_s", None) or 0)
            await asyncio.sleep(pause_s)

    async def admitted(self) -> Token:
        """Wait in line until there is a slot; return the token. Raises VoicefleetError."""
        if self.token is not None:
            return self.token
        async with aclosing(self.follow()) as views:
            async for view in views:
                if view.token is not None:
                    return view.token
                if view.is_over:
                    raise VoicefleetError(view.message)
        raise VoicefleetError("the session ended while it waited")

    async def fresh_token(self) -> Token:
        """Return a token to come back with: same room, same identity."""
        body = {"sessionId": self.id}
        answer = await self.transport.call("POST", "/api/token", bearer=self.secret, body=body)
        with understanding():
            token = token_from_json(answer)
        if token is None:
            raise Unreachable("an answer without a token")
        return token

    async def stop(self) -> SessionView:
        """End the session. Twice is fine."""
        body = {"sessionId": self.id}
        answer = await self.transport.call(
            "POST", "/api/session/stop", bearer=self.secret, body=body
        )
        with understanding():
            return SessionView.from_json(answer)

    async def logs(self, last: int = 200) -> list[dict[str, Any]]:
        """Return the last lines of the session's log, the oldest first."""
        answer = await self._call("GET", "/logs", query={"last": last})
        with understanding():
            return list(answer["logs"])

    async def transcript(self) -> list[dict[str, Any]]:
        """Return what was said, the oldest first."""
        answer = await self._call("GET", "/transcript")
        with understanding():
            return list(answer["turns"])

    def _stream(self, last: str) -> AbstractAsyncContextManager[AsyncIterator[str] | None]:
        return self.transport.stream(
            f"/api/session/{self.id}/events",
            bearer=self.secret,
            headers={"Last-Event-ID": last} if last else {},
            silence_s=_SILENCE_S,
        )

    async def _call(
        self, method: str, path: str, *, query: dict[str, Any] | None = None, timeout_s: float = 15
    ) -> dict[str, Any]:
        return await self.transport.call(
            method,
            f"/api/session/{self.id}{path}",
            bearer=self.secret,
            query=query,
            timeout_s=timeout_s,
        )


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, SessionView]]:
    """Read server-sent events (WHATWG HTML, section 9.2), as far as our server uses them."""
    event_id, data = "", ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name == "data":
            data += value
        elif not line and data:
            with understanding():
                view = SessionView.from_json(json.loads(data))
            yield event_id, view
            data = ""


def _is_passing(error: VoicefleetError) -> bool:
    """Say whether the same call may be answered later."""
    return not isinstance(error, ApiError) or error.status == 429 or error.status >= 500


def _is_past(at_s: float) -> bool:
    return time.monotonic() >= at_s
