"""The same store through the plain client library: one EVALSHA for each call.

The yardstick for `sessions/batch.py`.
"""

from __future__ import annotations

from redis.asyncio import Redis

from sessions.batch import Batch, Call
from sessions.keys import Keys
from sessions.scripts import source
from sessions.settings import StoreSettings
from sessions.store import SessionStore


class _Single(Batch):
    """Sends each call by itself."""

    async def run(self, call: Call) -> str:
        """Return the answer to a call. Raises what the client library does."""
        (answer,) = await self._travel([call])
        if isinstance(answer, Exception):
            raise answer
        return answer


def unbatched_store(redis: Redis, settings: StoreSettings) -> SessionStore:
    """Return a store whose calls do not travel together."""
    store = SessionStore(redis, settings)
    single = _Single(redis, source(settings), Keys(settings.redis_prefix).store)
    store._engine._scripts._batch = single  # noqa: SLF001 - in all else it is the same store
    return store
