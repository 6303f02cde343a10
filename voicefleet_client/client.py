"""Sessions: start one, follow it, stop it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

from voicefleet_client.errors import Unreachable, VoicefleetError
from voicefleet_client.models import (
    QueuePlace,
    SessionView,
    Token,
    place_from_json,
    token_from_json,
)
from voicefleet_client.transport import Transport

#: The server sends a line every 15 s.
_SILENCE_S = 45.0
_PAUSE_S = 1.0


class Voicefleet:
    """A fleet's API. `token` is a user's, or an admin key; without one, as anybody."""

    def __init__(
        self, base_url: str, *, token: str | None = None, http: httpx2.AsyncClient | None = None
    ) -> None:
        self._transport = Transport(base_url, bearer=token, http=http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

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
        return SessionView.from_json(answer)

    async def follow(self) -> AsyncIterator[SessionView]:
        """Yield the session whenever it changes, until it is over; keeps a place in line.

        Broken connections are made again. Raises ApiError.
        """
        last: str | None = None
        while True:
            headers = {} if last is None else {"Last-Event-ID": last}
            try:
                async with self.transport.stream(
                    f"/api/session/{self.id}/events",
                    bearer=self.secret,
                    headers=headers,
                    silence_s=_SILENCE_S,
                ) as lines:
                    async for event_id, view in _events(lines):
                        last = event_id
                        yield view
                        if view.is_over:
                            return
            except Unreachable:
                pass  # the server restarts, or the network changed: below, it is asked again
            await asyncio.sleep(_PAUSE_S)

    async def admitted(self) -> Token:
        """Wait in line until there is a slot; return the token. Raises VoicefleetError."""
        if self.token is not None:
            return self.token
        async for view in self.follow():
            if view.token is not None:
                return view.token
            if view.is_over:
                raise VoicefleetError(view.message)
        raise VoicefleetError("the session ended while it waited")

    async def fresh_token(self) -> Token:
        """Return a token to come back with: same room, same identity."""
        body = {"sessionId": self.id, "sessionSecret": self.secret}
        token = token_from_json(await self.transport.call("POST", "/api/token", body=body))
        if token is None:
            raise Unreachable("an answer without a token")
        return token

    async def stop(self) -> SessionView:
        """End the session. Twice is fine."""
        body = {"sessionId": self.id}
        answer = await self.transport.call(
            "POST", "/api/session/stop", bearer=self.secret, body=body
        )
        return SessionView.from_json(answer)

    async def logs(self, last: int = 200) -> list[dict[str, Any]]:
        """Return the last lines of the session's log, the oldest first."""
        logs: list[dict[str, Any]] = (await self._call("GET", "/logs", query={"last": last}))[
            "logs"
        ]
        return logs

    async def transcript(self) -> list[dict[str, Any]]:
        """Return what was said, the oldest first."""
        turns: list[dict[str, Any]] = (await self._call("GET", "/transcript"))["turns"]
        return turns

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
            yield event_id, SessionView.from_json(json.loads(data))
            data = ""
