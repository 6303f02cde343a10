"""When sessions got their slots, second by second; lua/include/arrivals.lua counts it."""

from __future__ import annotations

from dataclasses import dataclass

from sessions.engine import Engine
from sessions.scripts import translated_errors
from sessions.settings import SECONDS_KEPT

#: As the script lays it out.
_HEADER = 10
_WIDTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The last hour, up to a second that is not over yet; in s since 1970 by Redis's clock."""

    now_s: int
    #: A second in which sessions got a slot, and how many; the oldest first, 999 at most.
    seconds: tuple[tuple[int, int], ...]

    def since(self, second: int) -> int:
        """Return how many there were from that second on."""
        return sum(number for at_s, number in self.seconds if at_s >= second)


async def read_arrivals(engine: Engine) -> Arrivals:
    """Return the arrivals of the last hour. Raises StoreUnavailable."""
    now_s = await engine.now() // 1000
    with translated_errors():
        text = str(await engine.redis.get(engine.keys.arrivals) or "")
    return Arrivals(now_s=now_s, seconds=parse_arrivals(text, now_s))


def parse_arrivals(text: str, now_s: int) -> tuple[tuple[int, int], ...]:
    """Read the ring: seconds that are within `SECONDS_KEPT` of now, and had an arrival."""
    if not text:
        return ()
    newest = int(text[:_HEADER])
    oldest = max(newest, now_s) - SECONDS_KEPT + 1
    found = []
    for second in range(oldest, newest + 1):
        at = _HEADER + _WIDTH * (second % SECONDS_KEPT)
        if number := int(text[at : at + _WIDTH]):
            found.append((second, number))
    return tuple(found)
