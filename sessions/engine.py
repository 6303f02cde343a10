"""What all parts of the store share: one Redis, its keys, its scripts, the limits, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from sessions.batch import Client
from sessions.errors import StoreUnavailable
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.scripts import Answer, Scripts, translated_errors
from sessions.settings import StoreSettings

#: Returns the term under which a leader writes. Raises Deposed when it does not lead any more.
Fence = Callable[[], int]
#: Hears of each step: how long it took, in s, and whether Redis has done it, or refused it.
OnStep = Callable[[float, bool], None]


class Engine:
    """Runs verbs, under a leader's term if there is a ``fence``.

    ``now_ms`` is for tests only: None takes the clock of Redis.
    """

    def __init__(
        self,
        redis: Client,
        settings: StoreSettings,
        *,
        now_ms: int | None,
        fence: Fence | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        self.redis = redis
        self.settings = settings
        self.keys = Keys(settings.redis_prefix)
        self.now_ms = now_ms
        self.on_step = on_step
        self._fence = fence
        self._scripts = Scripts(redis, self.keys, settings)

    async def run(self, verb: str, **ask: object) -> Answer:
        """Run a verb about the store as a whole. What is None is left out of the question."""
        return await self._run(None, self._question(verb, ask))

    async def run_for(self, verb: str, session_id: SessionId, **ask: object) -> Answer:
        """Run a verb about one session. Raises InvalidInput for what cannot be an id."""
        key = self.keys.session(session_id)
        return await self._run(key, self._question(verb, ask, id=session_id))

    async def now(self) -> int:
        """Return the time by Redis's clock, in ms since 1970."""
        if self.now_ms is not None:
            return self.now_ms
        with translated_errors():
            seconds, microseconds = await self.redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def _run(self, key: str | None, question: dict[str, object]) -> Answer:
        began, is_done = time.perf_counter(), True
        try:
            return await self._scripts.run(key, question, self.now_ms)
        except StoreUnavailable:
            is_done = False
            raise
        finally:
            if self.on_step is not None:
                self.on_step(time.perf_counter() - began, is_done)

    def _question(self, verb: str, ask: dict[str, object], **more: object) -> dict[str, object]:
        if self._fence is not None:
            more["term"] = self._fence()
        given = {name: value for name, value in ask.items() if value is not None}
        return {"verb": verb, **more} | given
