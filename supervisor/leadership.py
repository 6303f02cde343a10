"""One of several supervisors leads; when it is gone, another one does.

Scenario: the token server that leads is killed, in the middle of a pass or not. Its lease lapses,
another server takes the office under the next term, looks at everything anew, and goes on. What was
half done stands in Redis.

Scenario: the leader is stopped, and wakes up when another one leads. Its own clock tells that its
lease is over, and where it has not looked yet, the store refuses what it writes.

Scenario: the leader cannot reach LiveKit any more, and others can. It steps down, and leaves the
office to others for a while; where nobody else wants it, it takes it again.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable

from sessions.errors import Deposed, StoreUnavailable
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

#: What a lease is worth by the leader's own clock: it is over here before it is over in the store.
_TRUSTED_SHARE = 0.9
#: Who cannot work for so long leaves the office to others.
_UNFIT_S = 5.0
#: Who came into it unfit, since nobody else was there, keeps it for so long.
_TENURE_S = 30.0


class Leadership:
    """Whether this supervisor leads. Call `campaign_once` three times a lease or more.

    `is_fit` says whether it could do the work. Its methods may be used by one task at a time.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        lease_s: float,
        is_fit: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._office = store.office
        self._lease_s = lease_s
        self._is_fit = is_fit
        self._clock = clock
        self._term = 0
        self._leads_until = -math.inf
        self._since = -math.inf
        self._fit_at = clock()

    @property
    def leads(self) -> bool:
        """Whether this one leads, as far as it can know by itself."""
        return self._clock() < self._leads_until

    def term(self) -> int:
        """Return the term of this leader, for `SessionStore.fenced`. Raises Deposed."""
        if not self.leads:
            raise Deposed(str(self._term))
        return self._term

    async def campaign_once(self) -> bool:
        """Go on leading, or begin to if nobody does; say whether this one leads."""
        now = self._clock()
        is_fit = self._is_fit()
        if is_fit:
            self._fit_at = now
        try:
            if self.leads and now - max(self._fit_at, self._since + _TENURE_S) > _UNFIT_S:
                logger.warning("cannot do the work; another supervisor may lead")
                await self.resign()
                return False
            ballot = await self._office.stand(
                self.name, lease_s=self._lease_s, is_hesitant=not is_fit
            )
        except StoreUnavailable as error:
            logger.warning("redis is away; nobody is elected", extra={"reason": str(error)})
            return self.leads
        if not ballot.leads:
            self._leads_until = -math.inf
            return False
        # Counted from before the question: the lease in the store began later.
        self._leads_until = now + self._lease_s * _TRUSTED_SHARE
        if ballot.term != self._term:
            logger.info("leads the supervision", extra={"term": ballot.term})
            self._term, self._since = ballot.term, -math.inf if is_fit else now
        return True

    async def resign(self) -> None:
        """Lead no longer, and let another one. Raises StoreUnavailable: then the lease lapses."""
        if self._leads_until > -math.inf:
            self._leads_until = -math.inf
            await self._office.leave(self.name)
