"""The circuit breaker of Redis. While it is away, calls are refused at once instead of waiting.

An open circuit is tried out by a loop, never by a caller: a long poll that was let through for that
would keep all others out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from rooms.breaker import Breaker, BreakerOpen, BreakerState
from rooms.errors import RoomsError
from sessions.errors import StoreUnavailable
from sessions.store import SessionStore
from supervisor.loop import is_to_end
from tokenserver.access.keys import KeysUnavailable
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.http.errors import ApiError
from tokenserver.settings import TokenserverSettings

logger = logging.getLogger("tokenserver")

_LOOK_EVERY_S = 0.2


class StoreSpared(BreakerOpen, StoreUnavailable):
    """Raised at once while the circuit is open; ``retry_after_s`` says when to retry."""


class RedisCircuit:
    """Guards the calls to the store, for one event loop."""

    def __init__(self, store: SessionStore, settings: TokenserverSettings) -> None:
        self._store = store
        self._breaker = Breaker(
            "redis",
            failures=settings.redis_breaker_failures,
            open_s=settings.redis_breaker_open_s,
            failing=(StoreUnavailable, RedisError),
            # Raised before the store was asked, most of the time: no sign that it is well.
            silent=(ApiError, InvalidUserToken, KeysUnavailable, RoomsError),
            refusal=StoreSpared,
        )

    @property
    def state(self) -> BreakerState:
        """Whether calls are let through."""
        return self._breaker.state

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Surround a call that needs the store. Raises StoreSpared."""
        self._breaker.require()
        with self._breaker.guard():
            yield

    async def run(self) -> None:
        """Try out the circuit while it is open, until cancelled."""
        while not is_to_end():
            await asyncio.sleep(max(_LOOK_EVERY_S, self._breaker.retry_after_s))
            if self.state is not BreakerState.CLOSED:
                await self._try()

    async def _try(self) -> None:
        """Ask Redis once. Whatever it says, the loop goes on: nobody else closes the circuit."""
        try:
            with self._breaker.guard():
                await self._store.ping()
        except StoreUnavailable:
            return
        except Exception:
            logger.exception("redis answered something unexpected")
