"""One session: follow it, come back to it, stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from voicefleet_client.answers import understanding
from voicefleet_client.errors import (
    ApiError,
    SessionOver,
    Unreachable,
    VoicefleetError,
)
from voicefleet_client.events import read_views
from voicefleet_client.models import (
    LogLine,
    QueuePlace,
    SessionView,
    Token,
    Turn,
    place_from_json,
    token_from_json,
)
from voicefleet_client.pauses import Patience, Pauses
from voicefleet_client.record import AgentRecord
from voicefleet_client.transport import Transport

#: The server says something every 15 s.
_SILENCE_S = 45.0
#: A server that restarts is back by then, and so is a network that changes.
_PATIENCE_S = 60.0
#: The longest wait that the server takes in one request.
_LONGEST_WAIT_S = 30.0


@dataclass(slots=True, kw_only=True, eq=False)
class SessionHandle:
    """One session of ours, with the secret that proves it.

    `async with` stops it at the end.
    """

    transport: Transport = field(repr=False)
    id: str
    secret: str | None = field(repr=False)
    #: What start said; `view` and `follow` say it as it is now.
    token: Token | None = None
    queue: QueuePlace | None = None
    #: Whether the secret was replaced: the same user has resumed the session somewhere else.
    _is_replaced: bool = field(default=False, init=False, repr=False)

    @classmethod
    def from_json(cls, transport: Transport, value: dict[str, Any]) -> Self:
        """Read the answer to a start."""
        return cls(
            transport=transport,
            id=str(value["sessionId"]),
            secret=str(value["sessionSecret"]),
            token=token_from_json(value),
            queue=place_from_json(value.get("queue")),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What went wrong inside is worth more than that it cannot be stopped now.
        try:
            await self.stop()
        except VoicefleetError:
            if error is None:
                raise

    async def view(self, *, wait_s: float = 0, since: int | None = None) -> SessionView:
        """Return the session; with `wait_s`, once it has changed, or after that time.

        With `since`, once it has another revision than that. A server that is about to stop
        answers at once; then it is asked again.
        """
        ends_at, pauses = time.monotonic() + wait_s, Pauses()
        if wait_s > 0 and since is None:
            view = await self._look()
            since = view.revision
        while True:
            began_at = time.monotonic()
            asked_s = min(max(ends_at - began_at, 0), _LONGEST_WAIT_S)
            view = await self._look(asked_s, since)
            now = time.monotonic()
            if view.revision != since or view.is_over or now >= ends_at:
                return view
            if now - began_at < asked_s / 2:
                await asyncio.sleep(min(pauses.next_s(), ends_at - now))

    async def follow(self, *, patience_s: float = _PATIENCE_S) -> AsyncGenerator[SessionView]:
        """Yield the session whenever it changes, until it is over; keeps a place in line.

        Broken connections are made again, and so are calls that were refused for a while. Raises
        ApiError for any other refusal, and what went wrong last after `patience_s` without answer.
        """
        last: SessionView | None = None
        patience = Patience(patience_s=patience_s, silence_s=_SILENCE_S)
        while True:
            error: VoicefleetError = Unreachable("Voicefleet ends its answers before they begin")
            try:
                async with self._stream(last) as views:
                    if views is None:
                        return
                    async for view in views:
                        if view is not None and not view.tells_same_as(last):
                            yield view
                            last = view
                            if view.is_over:
                                return
                            patience.pauses.reset()
                        # A stream that has told of no session yet is not heard at all.
                        patience.hear(is_understood=last is not None)
            except VoicefleetError as raised:
                error = raised
            await asyncio.sleep(patience.pause_after(error))

    async def admitted(self) -> Token:
        """Wait in line until there is a slot; return the token. Raises VoicefleetError.

        It is a SessionOver when the session ended before there was one.
        """
        if self.token is not None:
            return self.token
        async with aclosing(self.follow()) as views:
            async for view in views:
                if view.token is not None:
                    return view.token
                if view.is_over:
                    raise SessionOver(view.message, view=view)
        raise SessionOver("the session ended while it waited")

    async def fresh_token(self) -> Token:
        """Return a token to come back with: same room, same identity."""
        answer = await self._call("POST", "/api/token", body={"sessionId": self.id})
        with understanding():
            token = token_from_json(answer)
        if token is None:
            raise Unreachable("an answer without a token")
        return token

    async def stop(self) -> SessionView:
        """End the session. Twice is fine."""
        answer = await self._call("POST", "/api/session/stop", body={"sessionId": self.id})
        with understanding():
            return SessionView.from_json(answer)

    async def logs(self, *, last: int = 200) -> list[LogLine]:
        """Return the last lines of the session's log, the oldest first."""
        answer = await self._call("GET", f"{self._path}/logs", query={"last": last})
        with understanding():
            return [LogLine.from_json(line) for line in answer["logs"]]

    async def transcript(self) -> list[Turn]:
        """Return what was said, the oldest first."""
        answer = await self._call("GET", f"{self._path}/transcript")
        with understanding():
            return [Turn.from_json(turn) for turn in answer["turns"]]

    async def record(self) -> list[AgentRecord]:
        """Return how the session went, for each of its agents, in the order they were sent."""
        answer = await self._call("GET", f"{self._path}/record")
        with understanding():
            return [AgentRecord.from_json(agent) for agent in answer["agents"]]

    @property
    def _path(self) -> str:
        return f"/api/session/{quote(self.id, safe='')}"

    @property
    def _proof(self) -> str | None:
        """The secret; None where the user's token has to do."""
        return None if self._is_replaced else self.secret

    def _is_users_turn(self, proof: str | None, error: VoicefleetError) -> bool:
        """Say whether to ask again with the user's token, after the secret opened nothing."""
        is_unknown = isinstance(error, ApiError) and error.code == "session_not_found"
        if proof is None or not is_unknown or not self.transport.has_token:
            return False
        # For good: a secret that was replaced does not come back.
        self._is_replaced = True
        return True

    async def _look(self, wait_s: float = 0, since: int | None = None) -> SessionView:
        query = {"wait": round(wait_s, 3)} | ({} if since is None else {"since": since})
        answer = await self._call("GET", self._path, query=query, more_s=wait_s)
        with understanding():
            return SessionView.from_json(answer)

    async def _call(self, method: str, path: str, **asked: Any) -> dict[str, Any]:  # noqa: ANN401
        proof = self._proof
        try:
            return await self.transport.call(method, path, bearer=proof, **asked)
        except ApiError as error:
            if not self._is_users_turn(proof, error):
                raise
        return await self.transport.call(method, path, **asked)

    @asynccontextmanager
    async def _stream(
        self, last: SessionView | None
    ) -> AsyncIterator[AsyncIterator[SessionView | None] | None]:
        """Open the stream of events, after what is known; None when there is no more to come."""

        def opened(proof: str | None) -> Any:  # noqa: ANN401
            return self.transport.stream(
                f"{self._path}/events",
                bearer=proof,
                headers={} if last is None else {"Last-Event-ID": str(last.revision)},
                silence_s=_SILENCE_S,
            )

        async with AsyncExitStack() as stack:
            proof = self._proof
            try:
                lines = await stack.enter_async_context(opened(proof))
            except ApiError as error:
                if not self._is_users_turn(proof, error):
                    raise
                lines = await stack.enter_async_context(opened(None))
            if lines is None:
                yield None
                return
            views = read_views(lines, _SILENCE_S)
            yield await stack.enter_async_context(aclosing(views))
