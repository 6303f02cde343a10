"""What changes in the store, told to those in this process who wait for it.

One loop follows the stream of changes, however many long polls, event streams and loops want to
hear of them. It only wakes: whoever is woken reads from the store what is true now. So nothing is
kept for those who are slow, and nobody can miss more than a moment.

    async with feed.subscribe(session_id) as changes:   # first subscribe,
        session = await store.get(session_id)           # then look,
        await changes.wait(5)                           # then wait: nothing falls in between
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sessions.errors import StoreUnavailable
from sessions.ids import SessionId
from sessions.journal import Change
from sessions.states import State
from sessions.store import SessionStore
from supervisor.loop import is_to_end

logger = logging.getLogger("supervisor")

#: How long Redis is asked to wait for a change. Half of what a hasty connection waits for an
#: answer at most: a busy machine is not to be taken for an outage.
_BLOCK_MS = 200
#: Changes come in bursts; reading each by itself would cost more than the wait.
_GATHER_S = 0.02
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Subscription:
    """One who waits. A change that comes between two waits ends the next one at once."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Tell of a change, or that there may have been one."""
        self._changed.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next change; False when there was none in time.

        Several changes at once count as one.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class ChangeFeed:
    """Wakes subscribers; `run` has to go on beside whatever uses it, once in each process.

    It holds one entry for each subscription, and nothing of the changes themselves.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._by_session: dict[SessionId, set[Subscription]] = {}
        self._by_state: dict[State, set[Subscription]] = {state: set() for state in State}

    @asynccontextmanager
    async def subscribe(self, session_id: SessionId) -> AsyncIterator[Subscription]:
        """Hear of the changes of one session, from here on."""
        subscription = Subscription()
        self._by_session.setdefault(session_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._by_session[session_id]
            others.discard(subscription)
            if not others:
                del self._by_session[session_id]

    @asynccontextmanager
    async def watch(self, *states: State) -> AsyncIterator[Subscription]:
        """Hear of all sessions that come into one of these states; for a loop.

        Of those that begin as `starting` nobody hears here: whoever starts one at its first step
        also sends its agent.
        """
        subscription = Subscription()
        for state in states:
            self._by_state[state].add(subscription)
        try:
            yield subscription
        finally:
            for state in states:
                self._by_state[state].discard(subscription)

    async def run(self) -> None:
        """Follow the changes until cancelled, whatever Redis does.

        After an outage, however short, it goes on from what is the newest change then, and wakes
        everybody: what they missed they see when they look.
        """
        pause_s = _FIRST_PAUSE_S
        while not is_to_end():
            try:
                cursor = await self._store.journal.cursor()
                self._wake_all()
                pause_s = _FIRST_PAUSE_S
                await self._follow(cursor)
            except StoreUnavailable as error:
                logger.warning("changes are not heard of", extra={"reason": str(error)})
            except Exception:
                logger.exception("the feed of changes failed")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _follow(self, cursor: str) -> None:
        while not is_to_end():
            for change in await self._store.journal.follow(cursor, block_ms=_BLOCK_MS):
                cursor = change.cursor
                self._wake(change)
            await asyncio.sleep(_GATHER_S)

    def _wake(self, change: Change) -> None:
        for subscription in self._by_session.get(change.session_id, ()):
            subscription.wake()
        if change.status is State.STARTING and change.revision == 1:
            return
        for subscription in self._by_state[change.status]:
            subscription.wake()

    def _wake_all(self) -> None:
        for subscriptions in (*self._by_session.values(), *self._by_state.values()):
            for subscription in subscriptions:
                subscription.wake()
