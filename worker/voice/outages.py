"""Which models are down, as far as this process knows, and as the others do.

A model that failed is left alone by all calls for a while: by those of this process at once, by
those of others within a second, through Redis. When the while is over ONE process tries it; if it
is still down the next while is longer, if not all go back to it.

Nothing waits for Redis here: a request asks `may_ask`, which looks at what was known a moment ago.
Without Redis each process knows what it learnt itself, and tries for itself.

A model is left alone only while another one steps in for it: see parts.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sessions.batch import Client
from sessions.keys import Keys
from sessions.settings import LIVE_TTL_S
from worker.voice.settings import Endpoint, Stage

logger = logging.getLogger(__name__)

#: How often what others know is read.
_LOOK_S = 1.0
#: How long whoever may try has for it; then another process may.
_TRIAL_S = 15.0
#: A model that nobody asked for so long after its last outage starts with a clean slate.
_MEMORY_S = 120.0
_FIRST_SHARE = 1 / 8
#: The end of a call does not wait for Redis.
_LAST_LOOK_S = 0.5


def fingerprint(stage: Stage, endpoint: Endpoint) -> str:
    """Name a model for all processes; tells nothing of its address, nor of its key."""
    parts = [stage, endpoint.base_url, endpoint.model]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Outage:
    """What is known of a model that is down."""

    #: How often in a row it was tried in vain.
    failures: int
    #: Not asked before this moment.
    until: float
    #: Whether this process may then try it.
    may_try: bool = False
    #: Whether a request of this process was refused already: it fell back to another model, so
    #: that a trial does not keep its user waiting.
    has_refused: bool = False
    #: Not yet told to the others.
    is_news: bool = False
    is_over: bool = False


class Outages:
    """Belongs to one process, and to all its calls."""

    def __init__(
        self,
        redis: Client,
        keys: Keys,
        longest_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._longest_s = longest_s
        self._clock = clock
        #: What each is called.
        self._watched: dict[str, str] = {}
        self._outages: dict[str, _Outage] = {}
        self._is_alone = False
        self._is_closing = False
        self._news = asyncio.Event()
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def watch(self, models: Mapping[str, str]) -> None:
        """Follow what others know of these models from now on; needs the event loop.

        Each comes with what operators are told that it is called.
        """
        self._watched.update(models)
        if self._watched and self._watching is None:
            self._is_closing = False
            self._watching = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Stop following; what is not told yet is told, unless Redis is slow."""
        watching, self._watching = self._watching, None
        if watching is None:
            return
        self._is_closing = True
        self._news.set()
        await asyncio.wait({watching}, timeout=_LAST_LOOK_S)
        if not watching.done():
            watching.cancel()
            await asyncio.wait({watching}, timeout=_LAST_LOOK_S)

    def is_down(self, model: str) -> bool:
        """Say whether a model is known to be down."""
        outage = self._outages.get(model)
        return outage is not None and not outage.is_over

    def may_ask(self, model: str) -> bool:
        """Say whether to send a request; True for one only, once the while is over."""
        outage = self._outages.get(model)
        if outage is None or outage.is_over:
            return True
        is_due = self._clock() >= outage.until and (outage.may_try or self._is_alone)
        if not is_due or not outage.has_refused:
            outage.has_refused = True
            return False
        outage.may_try = False
        outage.until = self._clock() + _TRIAL_S
        return True

    def report_failure(self, model: str) -> None:
        """Leave a model alone for a while, here at once and soon elsewhere."""
        outage = self._outages.get(model)
        failures = 1 if outage is None or outage.is_over else outage.failures + 1
        until = self._clock() + self.delay_s(failures)
        self._outages[model] = _Outage(failures, until, has_refused=True, is_news=True)
        self._news.set()

    def report_success(self, model: str) -> None:
        """Go back to a model, here at once and soon elsewhere."""
        outage = self._outages.get(model)
        if outage is not None and not outage.is_over:
            outage.is_over = True
            self._news.set()

    def delay_s(self, failures: int) -> float:
        """Return how long a model is left alone after so many failures in a row."""
        doublings = min(failures - 1, 16)
        return min(self._longest_s * _FIRST_SHARE * (1 << doublings), self._longest_s)

    async def look(self) -> None:
        """Tell what is new, and read what others know. Raises what redis-py does."""
        # Of two looks at the same time one would win the trial, and the other forget it.
        async with self._looking:
            for model in sorted(self._watched):
                outage = self._outages.get(model)
                if outage is not None and outage.is_over:
                    await self._tell_end(model, outage)
                elif outage is not None and outage.is_news:
                    await self._tell(model, outage)
                else:
                    await self._read(model)

    async def _run(self) -> None:
        while not self._is_closing:
            self._news.clear()
            await self._look_if_possible()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()
        if any(outage.is_news or outage.is_over for outage in self._outages.values()):
            await self._look_if_possible()

    async def _look_if_possible(self) -> None:
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 - a background loop: without it nobody would try again
            if not self._is_alone:
                logger.warning("outages not shared", extra={"error": type(error).__name__})
            self._is_alone = True
        else:
            self._is_alone = False

    async def _tell(self, model: str, outage: _Outage) -> None:
        """Write down a failure; of many processes that see it first, one does."""
        key, wait = self._keys.outage(model), self._keys.outage_wait(model)
        delay_s = self.delay_s(outage.failures)
        is_ours = await self._redis.set(
            key, outage.failures, px=_ms(delay_s + _MEMORY_S), nx=outage.failures == 1
        )
        if is_ours:
            await self._redis.set(wait, "down", px=_ms(delay_s))
        await self._list(model, is_new=bool(is_ours) and outage.failures == 1)
        outage.is_news = False

    async def _list(self, model: str, *, is_new: bool) -> None:
        """Name a model that is down for operators, with the time of its first failure.

        What is listed of an outage that was over by itself makes way for a new one's.
        """
        seconds, microseconds = await self._redis.time()
        since_ms = int(seconds) * 1000 + int(microseconds) // 1000
        line = f"{since_ms} {self._watched.get(model, model)}"
        if is_new:
            await self._redis.hset(self._keys.outages, model, line)
        else:
            await self._redis.hsetnx(self._keys.outages, model, line)
        await self._redis.expire(self._keys.outages, LIVE_TTL_S)

    async def _tell_end(self, model: str, outage: _Outage) -> None:
        await self._redis.delete(self._keys.outage(model), self._keys.outage_wait(model))
        await self._redis.hdel(self._keys.outages, model)
        if self._outages.get(model) is outage:
            del self._outages[model]

    async def _read(self, model: str) -> None:
        key, wait = self._keys.outage(model), self._keys.outage_wait(model)
        failures = await self._redis.get(key)
        outage = self._outages.get(model)
        if failures is None:
            # Over, or never was; what this process has learnt meanwhile is told in the next turn.
            if outage is not None and not outage.is_news:
                del self._outages[model]
            return
        if outage is None:
            outage = self._outages[model] = _Outage(int(failures), 0.0)
        elif outage.is_news or outage.is_over:
            return
        outage.failures = int(failures)
        await self._see_when_due(wait, outage)

    async def _see_when_due(self, wait: str, outage: _Outage) -> None:
        """Learn how long to wait; where that is over, be the one who tries, unless another is."""
        if outage.may_try and self._clock() < outage.until + _TRIAL_S:
            return
        outage.may_try = False
        left_ms = int(await self._redis.pttl(wait))
        if left_ms > 0:
            outage.until = self._clock() + left_ms / 1000
        elif await self._redis.set(wait, "trial", px=_ms(_TRIAL_S), nx=True):
            outage.until, outage.may_try = self._clock(), True


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
