"""stub"""

from __future__ import annotations
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from sessions.ids import SessionId
from sessions.store import SessionStore


class Subscription:
    async def wait(self, timeout_s: float) -> bool:
        await asyncio.sleep(min(timeout_s, 0.3))
        return True


class ChangeFeed:
    def __init__(self, store: SessionStore) -> None: ...
    async def run(self) -> None:
        await asyncio.Event().wait()

    @asynccontextmanager
    async def subscribe(self, session_id: SessionId) -> AsyncIterator[Subscription]:
        yield Subscription()
