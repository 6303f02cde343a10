"""How many calls somebody made within the last while: in Redis, or in this process alone.

Both count as the library `limits` does in its "sliding window counter": calls of the current
window, and of the one before it as much as still reaches into the last period. A fixed window would
let twice the limit through around its edge. The library's "moving window", which keeps the time of
every call, would be exact; measured side by side, each let 10 of 50 calls at once through where
10 are allowed, and answered as fast, but

- it takes 12 KB in Redis for a caller who may make 600 calls, and 114 KB for 6000; two counters
  take 112 bytes whatever the limit;
- it trusts the clocks of all replicas, while the counters live by the clock of Redis;
- in memory, the library looks at each of its callers in a thread of its own whenever one comes:
  250 ms a call with 1000 callers, where the counters take half a millisecond.

What that costs: calls of the previous window count as if they had been spread evenly over it, so
a caller who made them all at its end gets some back too early. At worst that is nearly twice the
limit within a period, but spread over it: at once, never more than the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.storage.redis.bridge import RedisBridge
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from sessions.batch import Batch, Call, Client

#: The library's script that counts a call, and the one that looks, for some calls at once: they
#: take one way to Redis, and nobody comes in between. As functions, each has KEYS and ARGV of its
#: own. KEYS[1] and ARGV[1] are what `Batch` puts there; then there is one of each for a call.
_SCRIPT = f"""\
local function acquire(KEYS, ARGV)
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function look(KEYS, ARGV)
{RedisBridge.SCRIPT_SLIDING_WINDOW.decode()}
end
local answers = {{}}
for place = 2, #KEYS do
  local keys = {{KEYS[place] .. "/-1", KEYS[place]}}
  local limit, period = string.match(ARGV[place], "(%d+) (%d+)")
  local is_allowed = acquire(keys, {{limit, period, 1}})
  local window = look(keys, {{period}})
  answers[place - 1] = string.format(
    "%d %d %d %d", is_allowed and 1 or 0, window[1] or 0, window[3] or 0, window[4]
  )
end
return answers
"""

#: About 300 bytes each. More are forgotten, the oldest first: whoever can call from so many
#: addresses does not need more calls from one.
MOST_CALLERS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a caller has used up, right after a call."""

    is_allowed: bool
    previous: int
    current: int
    #: When the current window becomes the previous one.
    ends_in_s: float

    def remaining(self, limit: int, period_s: int) -> int:
        """Return how many calls are left at this moment."""
        used = floor(self.previous * self.ends_in_s / period_s) + self.current
        return max(0, limit - used)

    def next_in_s(self, period_s: int) -> int:
        """Return when one more call is free, in whole seconds; 1 or more.

        Calls of the previous window come back one by one. When the current one ends, it becomes
        the previous one, and the first of its calls comes back at once.
        """
        wait_s = self.ends_in_s
        if self.previous:
            step_s = period_s / self.previous
            wait_s = min(wait_s, self.ends_in_s % step_s or step_s)
        return max(1, ceil(wait_s))


class SharedWindows:
    """Windows in Redis, the same for all replicas. Their keys live two periods at most.

    Uses a client of ours, of whatever kind of Redis, where the library would open its own. Calls
    that are made at the same time travel together (sessions/batch.py): a thousand at once would
    open a thousand connections, and the last ones would time out as if Redis were away.
    """

    def __init__(self, redis: Client, prefix: str) -> None:
        # One hash tag for all keys, as for all others of ours (sessions/keys.py).
        self._prefix = f"{{{prefix}}}:limits"
        self._batch = Batch(redis, _SCRIPT, self._prefix)

    async def hit(self, item: RateLimitItem, who: str) -> Window:
        """Count a call of somebody, if it is allowed. Raises what the client library does."""
        period_s = item.get_expiry()
        call = Call(f"{self._prefix}:{item.key_for(who)}", f"{item.amount} {period_s}", None)
        answer = await self._batch.run(call)
        is_allowed, previous, current, current_ttl_ms = map(int, answer.split())
        return Window(
            is_allowed=bool(is_allowed),
            previous=previous,
            current=current,
            ends_in_s=max(0.0, current_ttl_ms / 1000 - period_s),
        )


class LocalWindows:
    """Windows in the memory of this process, of so many callers at most."""

    def __init__(self, most_callers: int = MOST_CALLERS) -> None:
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._most_callers = most_callers

    def __len__(self) -> int:
        return len(self._storage.expirations)

    async def hit(self, item: RateLimitItem, who: str) -> Window:
        """Count a call of somebody, if it is allowed."""
        while len(self) >= self._most_callers:
            await self._storage.clear(next(iter(self._storage.expirations)))
        is_allowed = await self._limiter.hit(item, who)
        key, period_s = item.key_for(who), item.get_expiry()
        previous, _, current, current_ttl_s = await self._storage.get_sliding_window(key, period_s)
        return Window(
            is_allowed=is_allowed,
            previous=previous,
            current=current,
            ends_in_s=max(0.0, current_ttl_s - period_s),
        )
