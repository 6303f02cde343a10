"""How long a verb takes in a small store and in a large one."""

from __future__ import annotations

import random
import statistics
import time
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from redis.asyncio import Redis

from bench.load import LASTING, agent, each, fill_capped_keys, go_live, newcomer
from bench.options import Options
from bench.progress import Progress
from bench.redis_server import Server
from bench.table import Aim, Row, Table
from sessions.ids import SessionId
from sessions.model import UserPolicy, Vitals
from sessions.states import State
from sessions.store import SessionStore

Answer = TypeVar("Answer")

_AIM = Aim(limit=2)
_VERBS = ("admit", "claim", "renew", "touch", "end", "advance")
_VIEWS = ("occupancy", "by_state")
#: The two sizes take turns after so many samples, so that what the machine does meets both.
_IN_A_ROW = 50
#: The first ones of each size are not counted.
_WARM_UP = 50
_VITALS = Vitals(agent_state="speaking", pss_bytes=181_000_000)


@dataclass(slots=True)
class Crowd:
    """A store whose slots are all taken, and as many who wait; every step keeps it so."""

    store: SessionStore
    live: deque[SessionId] = field(default_factory=deque)
    #: Newcomers of whom it is not known whether they have their slot by now, the first in line
    #: first.
    waiting: deque[SessionId] = field(default_factory=deque)
    users: int = 0
    samples: dict[str, list[float]] = field(default_factory=dict)
    dice: random.Random = field(default_factory=random.Random)

    async def timed(self, name: str, call: Awaitable[Answer]) -> Answer:
        """Note how long a call takes, in ms."""
        began = time.perf_counter()
        answer = await call
        self.samples.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
        return answer

    async def step(self) -> None:
        """Measure each verb once: somebody comes, somebody leaves, the first in line follows."""
        store, dice = self.store, self.dice
        who = newcomer(self.users)
        self.users += 1
        await self.timed("admit", store.admit(who, policy=UserPolicy.REPLACE, may_wait=True))
        self.waiting.append(who.id)
        await self.timed("touch", store.queue.touch(dice.choice(self.waiting)))
        await self.timed("renew", store.renew(dice.choice(self.live), 1, _VITALS))
        await self.timed("advance", store.queue.advance())
        await self.timed("occupancy", store.occupancy())
        await self.timed("by_state", store.views.by_state(State.ACTIVE))
        leaving = self.live.popleft()
        ended = await self.timed("end", store.end(leaving))
        await store.mark_closed(leaving)
        for follower in ended.admitted:
            self.waiting.remove(follower)
            await self.timed("claim", store.claim(follower, 1, agent()))
            await store.mark_ready(follower, 1)
            await store.mark_joined(follower)
            self.live.append(follower)


async def gather_crowd(redis: Redis, server: Server, size: int, progress: Progress) -> Crowd:
    """Fill all slots and a queue as long. The capped keys are as full in a small store."""
    settings = server.settings(max_sessions=size, history_ttl_s=3600, **LASTING)
    roomy = server.settings(max_sessions=100_000, history_ttl_s=3600, **LASTING)
    await fill_capped_keys(redis, roomy, progress.tell)
    crowd = Crowd(SessionStore(redis, settings), users=2 * size)

    async def come(number: int) -> None:
        crowd.live.append(await go_live(crowd.store, newcomer(number)))

    async def wait(number: int) -> None:
        who = newcomer(size + number)
        await crowd.store.admit(who, policy=UserPolicy.REPLACE, may_wait=True)
        crowd.waiting.append(who.id)

    await each(range(size), come, progress.tell, "live sessions")
    await each(range(size), wait, progress.tell, "in the queue")
    return crowd


async def latency_table(
    small: Server, large: Server, options: Options, progress: Progress
) -> Table:
    """Measure two stores of different sizes in turns, one call at a time."""
    async with small.client() as small_redis, large.client() as large_redis:
        crowds = [
            await gather_crowd(small_redis, small, options.small, progress),
            await gather_crowd(large_redis, large, options.large, progress),
        ]
        for crowd in crowds:
            for _ in range(_WARM_UP):
                await crowd.step()
            crowd.samples.clear()
        for start in range(0, options.samples, _IN_A_ROW):
            progress.tell(f"{start:,} of {options.samples:,} samples of each verb")
            for crowd in crowds:
                for _ in range(min(_IN_A_ROW, options.samples - start)):
                    await crowd.step()
            crowds.reverse()
    crowds.sort(key=lambda crowd: crowd.store.settings.max_sessions)
    return _table(options, *(crowd.samples for crowd in crowds))


def _table(options: Options, small: dict[str, list[float]], large: dict[str, list[float]]) -> Table:
    return Table(
        part="latency",
        question=f"ms for one call, {options.small:,} live and queued against {options.large:,}",
        subject="call",
        rows=[_row(name, small[name], large[name]) for name in (*_VERBS, *_VIEWS)],
        notes=(
            f"{options.samples:,} samples of each, one call at a time, the two sizes in turns; the "
            "aim is for the ratio of the p99s",
            "all slots are taken: admit joins the queue, end gives the slot to the first in line",
            "by_state: the first page of 50 active sessions",
        ),
    )


def _row(name: str, small: list[float], large: list[float]) -> Row:
    (p50_small, p99_small), (p50_large, p99_large) = _percentiles(small), _percentiles(large)
    return Row(
        name=name,
        figures={
            "p50 small": round(p50_small, 3),
            "p50 large": round(p50_large, 3),
            "ratio p50": round(p50_large / p50_small, 2),
            "p99 small": round(p99_small, 3),
            "p99 large": round(p99_large, 3),
            "ratio p99": round(p99_large / p99_small, 2),
        },
        aim=_AIM,
        judged="ratio p99",
    )


def _percentiles(samples: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    hundredths = statistics.quantiles(samples, n=100, method="inclusive")
    return hundredths[49], hundredths[98]
