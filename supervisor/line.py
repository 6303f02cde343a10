"""Nobody does anything, and yet the line has to move on.

Scenario: a user who waited has closed the page, so nobody asks for the ticket any more. It lapses,
and those behind move up.

Scenario: a slot healed by itself, because nobody ended its session. Whoever is first in line gets
it, without anybody having to come and ask. What became of old sessions is cleared away, too.
"""

from __future__ import annotations

import logging

from sessions.errors import StoreUnavailable
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")


class Line:
    """Moves the queue on by the clock. Any number may do this at the same time."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def advance_once(self) -> int:
        """Drop lapsed tickets, fill free slots, forget lapsed workers; return how many in all."""
        try:
            progress = await self._store.queue.advance()
            gone = await self._store.fleet.expire()
        except StoreUnavailable as error:
            logger.warning("redis is away; the line stands still", extra={"reason": str(error)})
            return 0
        if gone:
            logger.error("workers are gone", extra={"workers": gone})
        return len(progress.expired) + len(progress.admitted) + len(gone)
