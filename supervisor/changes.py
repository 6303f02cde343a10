"""What changes in the store, told to those in this process who wait for it.

One loop follows the stream of changes, however many long polls, event streams and loops want to
hear of them. It only wakes: whoever is woken reads the session itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sessions.errors import StoreUnavailable
from sessions.ids import SessionId
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

_PAUSE_S = 0.5


class Subscription:
    """One who waits. Changes that come between two waits are not missed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Tell of a change."""
        self._changed.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next change; say whether there was one in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class ChangeFeed:
    """Wakes subscribers; run `run` beside whatever uses it."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._by_session: dict[SessionId, set[Subscription]] = {}
        #: Woken when a session was admitted, and nobody may have sent its agent yet.
        self.admissions = Subscription()

    @asynccontextmanager
    async def subscribe(self, session_id: SessionId) -> AsyncIterator[Subscription]:
        """Hear of the changes of one session."""
        subscription = Subscription()
        self._by_session.setdefault(session_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._by_session[session_id]
            others.discard(subscription)
            if not others:
                del self._by_session[session_id]

    async def run(self) -> None:
        """Follow the changes until cancelled. After a gap all are woken, to look for themselves."""
        cursor: str | None = None
        while True:
            try:
                if cursor is None:
                    cursor = await self._store.journal.cursor()
                    self._wake_all()
                for change in await self._store.journal.follow(cursor):
                    cursor = change.cursor
                    self._wake(change.session_id, change.status)
            except StoreUnavailable as error:
                if cursor is not None:
                    logger.warning("changes are not heard of", extra={"reason": str(error)})
                cursor = None
                await asyncio.sleep(_PAUSE_S)
            except Exception:
                # Nobody would be woken any more, and nobody would know.
                logger.exception("a pass of the feed of changes failed")
                cursor = None
                await asyncio.sleep(_PAUSE_S)

    def _wake(self, session_id: SessionId, status: State) -> None:
        for subscription in self._by_session.get(session_id, ()):
            subscription.wake()
        if status is State.STARTING:
            self.admissions.wake()

    def _wake_all(self) -> None:
        for session_id in self._by_session:
            self._wake(session_id, State.STARTING)
        self.admissions.wake()
