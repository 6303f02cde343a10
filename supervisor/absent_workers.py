"""There is no worker that LiveKit could give a job to.

Scenario: a session starts while all workers are down, or before the first one is up. LiveKit drops
the job at once and forgets it. To send again and again would use up all tries. So nobody is judged
while nobody is there (dispatches.py); as soon as a worker can take jobs, agents that were sent
before it could are written off, which counts for nothing, and others are sent.

Counter-scenario: an agent was sent just when the worker came, and is on its way. What was sent
within the second before LiveKit is known to know the worker is left to its deadline.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from sessions.errors import SessionError, StoreUnavailable
from sessions.fleet import Worker
from sessions.model import LossCause, Session
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

_NO_WORKER = "No agent was there to be sent. Please try again."
#: A worker tells that LiveKit knows it with its next heartbeat.
MARGIN_MS = 1_000


def taking_since_ms(workers: Iterable[Worker]) -> int | None:
    """Return since when any of these can be given jobs; None while none can."""
    known = [one.takes_since_ms for one in workers if not one.is_draining]
    return min((since_ms for since_ms in known if since_ms is not None), default=None)


def was_dropped(session: Session, since_ms: int | None) -> bool:
    """Say whether a session's agent was sent while nobody could come; False while nobody can."""
    if since_ms is None or session.dispatched_at_ms is None:
        return False
    return session.dispatched_at_ms < since_ms - MARGIN_MS


def _nobody(_: int) -> None:
    """Tell nobody."""


class AbsentWorkers:
    """Sees to sessions whose agent was sent while there was no worker. Any number may do this."""

    def __init__(self, store: SessionStore, tell: Callable[[int], object] = _nobody) -> None:
        self._store = store
        #: Hears of each look how many sessions wait although nobody is there.
        self._tell_of = tell
        self._has_warned = False

    async def look_once(self) -> int:
        """Write off what LiveKit has dropped; return how many sessions need another agent now."""
        try:
            return await self._look()
        except StoreUnavailable as error:
            logger.warning("redis is away; workers are not known", extra={"reason": str(error)})
            return 0

    async def _look(self) -> int:
        ids = [*await self._store.queue.due(), *await self._store.queue.sent()]
        if not ids:
            self._tell_of(0)
            return 0
        since_ms = taking_since_ms(await self._store.fleet.workers())
        sent = (await self._store.views.sessions(ids)).values()
        self._tell(is_alone=since_ms is None, waiting=len(sent))
        dropped = [one for one in sent if was_dropped(one, since_ms)]
        return sum(await asyncio.gather(*map(self._write_off, dropped)))

    def _tell(self, *, is_alone: bool, waiting: int) -> None:
        self._tell_of(waiting if is_alone else 0)
        if is_alone and not self._has_warned:
            logger.error("no worker is there; sessions wait", extra={"sessions": waiting})
        elif not is_alone and self._has_warned:
            logger.warning("a worker is there again")
        self._has_warned = is_alone

    async def _write_off(self, session: Session) -> bool:
        try:
            loss = await self._store.lose(
                session.id,
                _NO_WORKER,
                cause=LossCause.NO_WORKER,
                epoch=session.epoch,
                is_certain=True,
                is_planned=True,
            )
        except StoreUnavailable:
            raise
        except SessionError:
            return False  # it has ended, or another server was quicker
        return loss.changed
