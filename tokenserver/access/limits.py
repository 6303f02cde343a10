"""How often a caller may call: windows that slide, counted in Redis for all servers together.

While Redis is away, each server counts for itself: callers stay limited, and nobody is locked out
by an outage. Capacity is another matter: without the store nothing is admitted.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.typing import AsyncRedisClient
from redis.exceptions import RedisError

from sessions.batch import Client
from tokenserver.access.settings import AccessSettings

logger = logging.getLogger("tokenserver")

#: After a failure Redis is not asked for so long: no call waits for it twice.
_PAUSE_S = 2.0
#: So many callers are counted without Redis; beyond that, counting starts anew.
_MOST_IN_MEMORY = 20_000


class Rule(StrEnum):
    """What is limited."""

    STARTS = "starts"
    TOKENS = "tokens"
    READS = "reads"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a call: how many are allowed in a window, and left; when there is room again."""

    limit: int
    remaining: int
    reset_s: int
    is_allowed: bool


class RateLimits:
    """Counts calls. ``items`` says what each rule allows, instead of the settings."""

    def __init__(
        self,
        redis: Client,
        settings: AccessSettings,
        prefix: str,
        items: Mapping[Rule, RateLimitItem] | None = None,
    ) -> None:
        self._items = items or {
            Rule.STARTS: RateLimitItemPerMinute(settings.start_limit_per_minute),
            Rule.TOKENS: RateLimitItemPerMinute(settings.token_limit_per_minute),
            Rule.READS: RateLimitItemPerMinute(settings.read_limit_per_minute),
            Rule.ADMIN: RateLimitItemPerMinute(settings.admin_limit_per_minute),
        }
        self._shared = _OurRedis(redis, prefix)
        self._own = MemoryStorage()
        self._paused_until_s = -math.inf
        self._is_away = False

    async def hit(self, rule: Rule, who: str) -> Verdict:
        """Count a call of one caller."""
        caller = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
        if time.monotonic() >= self._paused_until_s:
            try:
                verdict = await _hit(self._shared, self._items[rule], rule, caller)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_failure(error)
            else:
                self._note_success()
                return verdict
        if len(self._own.storage) > _MOST_IN_MEMORY:
            await self._own.reset()
        return await _hit(self._own, self._items[rule], rule, caller)

    def _note_failure(self, error: Exception) -> None:
        self._paused_until_s = time.monotonic() + _PAUSE_S
        if not self._is_away:
            self._is_away = True
            logger.warning(
                "rate limits are counted here alone", extra={"reason": type(error).__name__}
            )

    def _note_success(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.info("rate limits are counted in Redis again")


def rate_headers(verdict: Verdict) -> dict[str, str]:
    """Return what tells a caller how much is left.

    Names of draft-ietf-httpapi-ratelimit-headers-06, which clients know; `Retry-After` as RFC 9110.
    """
    headers = {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(verdict.reset_s),
    }
    if not verdict.is_allowed:
        headers["Retry-After"] = str(verdict.reset_s)
    return headers


async def _hit(storage: Storage, item: RateLimitItem, rule: Rule, caller: str) -> Verdict:
    limiter = SlidingWindowCounterRateLimiter(storage)
    is_allowed = await limiter.hit(item, rule, caller)
    stats = await limiter.get_window_stats(item, rule, caller)
    return Verdict(
        limit=item.amount,
        remaining=stats.remaining if is_allowed else 0,
        reset_s=max(1, math.ceil(stats.reset_time - time.time())),
        is_allowed=is_allowed,
    )


class _OurRedis(RedisStorage):
    """The library's storage, on our own connections: with our deadlines, and wherever Redis is."""

    def __init__(self, redis: Client, prefix: str) -> None:
        self._redis = redis
        # In one hash slot with all our keys.
        super().__init__(
            "async+redis://", implementation="redispy", key_prefix=f"{{{prefix}}}:limits"
        )

    def configure_bridge(self) -> None:
        bridge = self.bridge
        if not isinstance(bridge, RedispyBridge):
            raise TypeError("limits took another client library")
        client = cast(AsyncRedisClient, self._redis)  # said by a protocol of its own
        bridge.storage = client
        bridge.connection_getter = lambda _: client
