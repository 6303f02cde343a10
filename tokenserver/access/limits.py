"""How often somebody may call: verdicts, and the headers that tell them.

Counted in Redis, for all replicas together. When Redis is away each replica counts for itself, in
memory and from nothing: callers then have a limit per replica. That is for the limits here; how
many sessions there may be is the store's, which admits none without Redis.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from limits import RateLimitItem, RateLimitItemPerSecond
from redis.exceptions import RedisClusterException, RedisError

from sessions.batch import Client
from tokenserver.access.windows import LocalWindows, SharedWindows, Window
from tokenserver.settings import TokenserverSettings

logger = logging.getLogger("tokenserver.limits")

_DIGEST_BYTES = 16


class Rule(StrEnum):
    """What is limited; each is counted apart from the others."""

    STARTS = "starts"
    TOKENS = "tokens"
    READS = "reads"
    ADMIN = "admin"


#: Which setting says how many calls of a kind somebody may make in a minute.
SETTINGS: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.STARTS: "start_limit_per_minute",
        Rule.TOKENS: "token_limit_per_minute",
        Rule.READS: "read_limit_per_minute",
        Rule.ADMIN: "admin_limit_per_minute",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a call may go on, and what is left."""

    is_allowed: bool
    limit: int
    remaining: int
    #: When one more call will be free, in whole seconds; 1 or more.
    reset_s: int


class RateLimits:
    """Counts calls. Shares the client it is given, and does not close it."""

    def __init__(
        self,
        redis: Client,
        settings: TokenserverSettings,
        *,
        period_s: int = 60,
        cooldown_s: float = 2.0,
    ) -> None:
        self._items = {
            rule: RateLimitItemPerSecond(getattr(settings, name), period_s, namespace=rule)
            for rule, name in SETTINGS.items()
        }
        # The same in all replicas, and known to nobody else.
        secret = settings.livekit_api_secret.get_secret_value()
        self._hash_key = hmac.digest(secret.encode(), b"names of rate limits", "sha256")
        self._shared = SharedWindows(redis, settings.redis_prefix)
        self._local = LocalWindows()
        self._cooldown_s = cooldown_s
        #: While Redis is away, nobody asks it before this time of the monotonic clock.
        self._ask_at_s: float | None = None

    @property
    def is_shared(self) -> bool:
        """Whether calls are counted in Redis, as far as the last one knew."""
        return self._ask_at_s is None

    async def hit(self, rule: Rule, who: str) -> Verdict:
        """Count a call of somebody: an address (as `limit_key` gives it), a user, an admin key.

        A call that is refused does not count. `who` may be a secret: only a keyed hash of it
        leaves this process, so that those who can list keys in Redis cannot try addresses.
        """
        item, name = self._items[rule], self.name_of(who)
        window = await self._ask_redis(item, name) or await self._local.hit(item, name)
        return _verdict(item, window)

    async def _ask_redis(self, item: RateLimitItem, name: str) -> Window | None:
        """Return what Redis has counted, or None when it is away.

        Each caller would have to wait for Redis to time out. So after one has, the others do not
        ask for a while; then one of them tries, and the rest go on without.
        """
        is_trial = self._ask_at_s is not None
        now_s = time.monotonic()
        if self._ask_at_s is not None:
            if now_s < self._ask_at_s:
                return None
            self._ask_at_s = now_s + self._cooldown_s
        try:
            window = await self._shared.hit(item, name)
        except (RedisError, RedisClusterException) as error:
            self._note_outage(error)
            return None
        if is_trial:
            self._ask_at_s = None
            logger.info("rate limits are counted in Redis again")
        return window

    def _note_outage(self, error: Exception) -> None:
        """Keep from asking for a while; said once for all who find out."""
        if self._ask_at_s is None:
            # Not the error's text: it may quote the address of Redis.
            logger.warning(
                "rate limits are counted by this process alone: Redis does not answer",
                extra={"error": type(error).__name__},
            )
        self._ask_at_s = time.monotonic() + self._cooldown_s

    def name_of(self, who: str) -> str:
        """Return what stands for somebody outside of this process, the same in all replicas."""
        text = who.encode("utf-8", "surrogatepass")
        return hmac.digest(self._hash_key, text, "sha256")[:_DIGEST_BYTES].hex()


def _verdict(item: RateLimitItem, window: Window) -> Verdict:
    period_s = item.get_expiry()
    return Verdict(
        is_allowed=window.is_allowed,
        limit=item.amount,
        remaining=window.remaining(item.amount, period_s),
        reset_s=window.next_in_s(period_s),
    )


def rate_headers(verdict: Verdict) -> dict[str, str]:
    """Return the headers that tell a caller about a verdict.

    As in draft-ietf-httpapi-ratelimit-headers-06, the last one with a field for each number, which
    is what clients know; later drafts put them into two structured ones. `Retry-After` (RFC 9110,
    10.2.3) stands for a refusal only.
    """
    headers = {
        "RateLimit-Limit": str(verdict.limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(verdict.reset_s),
    }
    return headers if verdict.is_allowed else {**headers, "Retry-After": str(verdict.reset_s)}
