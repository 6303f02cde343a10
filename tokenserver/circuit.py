"""The circuit breaker of Redis. While it is away, calls are refused at once instead of waiting.

An open circuit is tried out by a loop, never by a caller: a long poll that was let through for that
would keep all others out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import RedisError

from rooms.breaker import Breaker, BreakerOpen, BreakerState
from rooms.errors import RoomsError
from sessions.errors import StoreUnavailable
from sessions.store import SessionStore
from supervisor.loop import run_every
from tokenserver.access.keys import KeysUnavailable
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.errors import ApiError
from tokenserver.settings import TokenserverSettings

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
        await run_every(_LOOK_EVERY_S, "redis circuit", self._try)

    async def _try(self) -> int:
        """Ask Redis once, if the circuit is open and its time has come; return 1 if it answers."""
        if self.state is not BreakerState.CLOSED:
            with suppress(StoreUnavailable), self._breaker.guard():
                await self._store.ping()
                return 1
        return 0
