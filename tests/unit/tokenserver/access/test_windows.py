"""Counting in memory, what a count means, and what of the library `limits` we rely on.

When a new version of it fails here, read tokenserver/access/windows.py against it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

import limits
import pytest
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.storage.redis.bridge import RedisBridge

from tests.support.redis_topologies import documented_users
from tokenserver.access.windows import LocalWindows, Window

ACQUIRE = "3a1548d4c00dfe04fdd8feabfb60849afcb5caf4158d8082671588c5f5d871e6"
LOOK = "a86dd8837d03ab9e10a5151c47d00eaca4396dd262698a4269c4e6e8ac5b96f7"
#: In memory, windows end when the clock says so: rarely in the middle of a test.
TEN_AN_HOUR = RateLimitItemPerSecond(10, 3600, namespace="tests")


def window(previous: int, current: int, ends_in_s: float) -> Window:
    return Window(is_allowed=True, previous=previous, current=current, ends_in_s=ends_in_s)


@pytest.mark.parametrize(
    ("counted", "remaining", "next_in_s"),
    [
        (window(0, 1, 60), 9, 60),
        (window(0, 10, 60), 0, 60),
        (window(0, 10, 0.2), 0, 1),
        (window(0, 10, 0), 0, 1),
        # Nine and a bit of ten still count; a tenth comes back every six seconds.
        (window(10, 0, 59.9), 1, 6),
        (window(10, 1, 59.9), 0, 6),
        (window(10, 5, 30), 0, 6),
        (window(10, 5, 29.5), 1, 6),
        (window(10, 7, 25), 0, 1),
        (window(10, 9, 2), 1, 2),
        (window(1, 9, 59.5), 1, 60),
        # More than allowed, when the limit was higher a moment ago.
        (window(0, 25, 30), 0, 30),
    ],
)
def test_what_is_left_and_when_there_is_more(
    counted: Window, remaining: int, next_in_s: int
) -> None:
    assert counted.remaining(10, 60) == remaining
    assert counted.next_in_s(60) == next_in_s


async def test_memory_counts_exactly_when_many_come_at_once() -> None:
    windows = LocalWindows()
    answers = await asyncio.gather(*(windows.hit(TEN_AN_HOUR, "ada") for _ in range(50)))
    allowed = [answer for answer in answers if answer.is_allowed]
    assert len(allowed) == 10
    assert sorted(answer.remaining(10, 3600) for answer in allowed) == list(range(10))
    assert all(0 <= answer.ends_in_s <= 3600 for answer in answers)
    assert (await windows.hit(TEN_AN_HOUR, "eve")).is_allowed


async def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    """A caller with a million addresses fills nothing."""
    windows = LocalWindows(most_callers=100)
    for number in range(1000):
        assert (await windows.hit(TEN_AN_HOUR, f"caller {number}")).is_allowed
    assert len(windows) == 100
    storage = windows._storage
    assert max(len(storage.storage), len(storage.locks), len(storage.events)) <= 100
    # Still known: the newest; forgotten: the first.
    assert (await windows.hit(TEN_AN_HOUR, "caller 999")).current == 2
    assert (await windows.hit(TEN_AN_HOUR, "caller 0")).current == 1


def test_the_version_is_one_that_was_read() -> None:
    assert limits.__version__.startswith("5.8.")


def test_the_scripts_are_those_that_were_read() -> None:
    """They are put into one, with their KEYS, ARGV and answers as they are."""
    digests = {
        RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW: ACQUIRE,
        RedisBridge.SCRIPT_SLIDING_WINDOW: LOOK,
    }
    for text, digest in digests.items():
        assert hashlib.sha256(text).hexdigest() == digest


def test_the_redis_user_of_the_docs_may_do_what_the_scripts_do() -> None:
    text = (RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW + RedisBridge.SCRIPT_SLIDING_WINDOW).decode()
    called = set(re.findall(r"redis\.call\('([a-z]+)'", text))
    assert text.count("redis.call(") == len(re.findall(r"redis\.call\('[a-z]+'", text))
    allowed = set(re.findall(r"\+([a-z]+)", "\n".join(documented_users())))
    assert called <= allowed
    assert {"incrby", "rename"} <= called


async def test_the_librarys_memory_is_ordered_and_can_be_cleared() -> None:
    storage = MemoryStorage()
    for name in ("b", "a", "c"):
        await storage.acquire_sliding_window_entry(name, 10, 60)
    # Nothing is renewed by a second call.
    await storage.acquire_sliding_window_entry("b", 10, 60)
    assert [key.split("/")[0] for key in storage.expirations] == ["b", "a", "c"]
    for key in list(storage.expirations):
        await storage.clear(key)
    left = (storage.expirations, storage.storage, storage.locks, storage.events)
    assert not any(left)
