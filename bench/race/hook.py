"""Hears from LiveKit itself who is in which room: its webhooks, received by the benchmark.

That costs the same for every worker, and much less than asking LiveKit again and again: nobody has
to be in the room.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.serving import serving

_AGENT = "AGENT"


@dataclass(slots=True)
class RoomNews:
    """What was heard of one room. Times are those of `time.monotonic`, when it was heard."""

    #: LiveKit tells that somebody has joined once their connection is up.
    agent_active_at: float | None = None
    agent_left_at: float | None = None
    finished_at: float | None = None

    @property
    def has_agent(self) -> bool:
        """Whether an agent is there now."""
        is_there = self.agent_active_at is not None and self.agent_left_at is None
        return is_there and self.finished_at is None


@dataclass(slots=True, kw_only=True)
class Hook:
    """Where LiveKit is to tell it, and what it told."""

    url: str = ""
    rooms: dict[str, RoomNews] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, room: str) -> RoomNews:
        """Return what was heard of a room so far."""
        return self.rooms.setdefault(room, RoomNews())

    async def until(self, is_met: Callable[[], bool], ends_at: float) -> bool:
        """Wait for news that make something true; return whether it is, in the end."""
        while not is_met():
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                return False
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
        return True

    def take(self, event: dict[str, object]) -> None:
        """Note one event, as LiveKit writes it in JSON."""
        room, participant = event.get("room"), event.get("participant")
        if not isinstance(room, dict):
            return
        news, kind, now = self.of(str(room.get("name"))), event.get("event"), time.monotonic()
        if kind == "room_finished":
            news.finished_at = now
        elif isinstance(participant, dict) and participant.get("kind") == _AGENT:
            if kind == "participant_joined":
                news.agent_active_at = news.agent_active_at or now
            elif kind == "participant_left":
                news.agent_left_at = now
        self._changed.set()


@asynccontextmanager
async def running_hook() -> AsyncIterator[Hook]:
    """Listen until the block is left."""
    hook = Hook()

    async def receive(request: web.Request) -> web.Response:
        # Nobody but our own server knows the port: its signature is not checked.
        hook.take(json.loads(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    async with serving(app) as address:
        hook.url = f"http://{address}/"
        yield hook
