"""The worker's connection to LiveKit: lost, it is tried again, for ever or for a while.

The framework's own loop gives up after a number of attempts and waits for 0, 2, 4 … 10 s between
them, so that all workers come back to a server that has just started in the same moments. Neither
can be changed by an option. So its loop is asked for one attempt at a time (`max_retry=0`), and the
loop around it is ours. For that one private method is overridden and called without the decorator
that would log each attempt with a traceback, and the flag that tells a dead server from one that
may come back is taken back. See host/pool.py about private parts.

Calls go on meanwhile: their media and their signals have connections of their own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any, cast

from livekit.agents import AgentServer

logger = logging.getLogger(__name__)

#: A server that takes a connection and says nothing is given up after this.
_ATTEMPT_S = 10.0
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 10.0


class GivenUp(RuntimeError):
    """Raised by `run` when LiveKit was away for too long."""


class PatientServer(AgentServer):
    """The framework's server, with a patience of our own. `give_up_after_s=0`: it never ends."""

    def __init__(self, *, give_up_after_s: float, **options: Any) -> None:  # noqa: ANN401
        super().__init__(max_retry=0, **options)
        self._give_up_after_s = give_up_after_s
        self._attempt: asyncio.Timeout | None = None
        self._failures = 0
        #: Since when there is no connection, by the monotonic clock; None while there is one.
        self._away_since: float | None = None
        self.on("worker_registered", self._on_registered)

    async def _connection_task(self) -> None:
        self._away_since = time.monotonic()
        while not self._closed:
            try:
                await self._connect_once()
            except (RuntimeError, TimeoutError) as error:
                await self._be_patient(error)

    async def _connect_once(self) -> None:
        """Connect and serve until the connection breaks. Raises RuntimeError, TimeoutError."""
        connect = cast("Any", AgentServer._connection_task).__wrapped__  # noqa: SLF001 - see above
        async with asyncio.timeout(_ATTEMPT_S) as self._attempt:
            await connect(self)

    async def _be_patient(self, error: Exception) -> None:
        """Wait before the next attempt. Raises GivenUp."""
        self._connection_failed = True
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        left_s = self._away_since + (self._give_up_after_s or float("inf")) - now
        if left_s <= 0:
            raise GivenUp(f"LiveKit was away for {self._give_up_after_s:g} s")
        delay_s = min(retry_delay_s(self._failures), left_s)
        self._failures += 1
        cause = error.__context__ or error
        logger.warning(
            "livekit is away",
            extra={
                "reason": type(cause).__name__,
                "attempts": self._failures,
                "retry_after_s": round(delay_s, 2),
            },
        )
        await asyncio.sleep(delay_s)

    def _on_registered(self, *_: object) -> None:
        if self._attempt is not None:
            self._attempt.reschedule(None)
        self._connection_failed = False
        self._away_since, self._failures = None, 0


def retry_delay_s(failures: int) -> float:
    """Return a pause before the next attempt: anywhere up to a bound that doubles each time."""
    bound_s = min(_FIRST_DELAY_S * 2 ** min(failures, 10), _LONGEST_DELAY_S)
    return random.uniform(bound_s / 10, bound_s)  # noqa: S311 - jitter, no secret
