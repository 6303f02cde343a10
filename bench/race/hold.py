"""Users who come one after the other and stay: how many a worker holds, and what each one takes.

They have no microphone. They are subscribed to the agent's track, which is sent to them (one that
nobody is subscribed to takes more), but nobody unpacks it: what is measured is the worker, and
LiveKit. At some numbers nobody comes for a while, and the machine is looked at.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from livekit import rtc

from bench.progress import Progress
from bench.race.figures import percentile, ratio
from bench.race.processes import cpu_s, pss_mb
from bench.race.scene import Racer, Scene, Visit
from bench.race.sides import OURS, PLAIN, Side
from bench.table import Aim, Row, Table

EVERY_S = 1 / 1.3
#: The cost is looked at when so many are there.
LOOKS = (10, 25, 50, 100)
_START_P95_S = 5.0
#: Of so many starts in a row.
_RECENT = 20
#: A user who has no agent by then has none: LiveKit offers a job once.
_PATIENCE_S = 15.0
_LOST_ARE_ENOUGH = 5
#: The library tries several times.
_CONNECTED_WITHIN_S = 60.0
_LEAVES_WITHIN_S = 10.0
_SETTLE_S = 8.0
_LOOK_OVER_S = 10.0
_HELD_AIM = 100


class Guest:
    """A user in a room, until it is closed; joins by another scene's LiveKit where told so."""

    def __init__(self, scene: Scene, visit: Visit, *, joins_by: Scene | None = None) -> None:
        self._url = (joins_by or scene).neighbours.variables["LIVEKIT_URL"]
        self._scene, self._visit = scene, visit
        self._room = rtc.Room()
        self._has_track = asyncio.Event()
        self._arriving: asyncio.Task[float] | None = None
        #: From the opening of the room to the agent's track; None: it never came.
        self.start_s: float | None = None

    async def come(self) -> None:
        """Open the room, join it, and wait for the agent."""
        # Not to be cancelled: left alone while it connects, the library ends the process.
        self._arriving = asyncio.create_task(self._arrive(), name="guest arrives")
        await asyncio.wait({self._arriving}, timeout=_PATIENCE_S)
        # Asked for, so that it is not told of as if nobody had looked.
        if self._arriving.done() and self._arriving.exception() is None:
            self.start_s = self._arriving.result()

    async def _arrive(self) -> float:
        """Return how long it took. Raises rtc.ConnectError, aiohttp.ClientError or TwirpError."""
        self._room.on("track_subscribed", lambda *_: self._has_track.set())
        began = time.monotonic()
        await self._scene.open(self._visit)
        await self._room.connect(self._url, self._visit.token)
        await self._has_track.wait()
        return time.monotonic() - began

    @property
    def takes_something(self) -> bool:
        """Whether an agent is there now, as LiveKit tells, in time or late."""
        news = self._scene.hook.of(self._visit.room)
        is_there = news.agent_active_at is not None and news.agent_left_at is None
        return is_there and news.finished_at is None

    @property
    def has_agent(self) -> bool:
        """Whether one is there that has published its track in time."""
        return self.start_s is not None and self.takes_something

    async def leave(self) -> None:
        """Leave, and close the room. Raises TimeoutError, aiohttp.ClientError or TwirpError."""
        if self._arriving is not None:
            self._has_track.set()
            # Whoever could not join has no start, which is all that is to be told of it.
            await asyncio.wait({self._arriving}, timeout=_CONNECTED_WITHIN_S)
        async with asyncio.timeout(_LEAVES_WITHIN_S):
            await self._room.disconnect()
        await self._scene.close(self._visit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What all took together when so many were there, in cores and MB."""

    sessions: int
    worker_cores: float
    livekit_cores: float
    redis_cores: float
    worker_pss_mb: float


@dataclass(slots=True, kw_only=True)
class Hold:
    """What came of it."""

    asked: int = 0
    held: int = 0
    #: Of those that had an agent, in the order in which they came.
    starts_s: list[float] = field(default_factory=list)
    #: Without anybody; then at each of the numbers that were reached.
    looks: list[Look] = field(default_factory=list)
    why_no_more: str = ""


Holds = Mapping[str, Hold]


async def measure_hold(
    scene: Scene, sides: Sequence[Side], *, users: int, progress: Progress
) -> Holds:
    """Have users come to each worker in turn until there are enough, or it cannot go on."""
    holds: dict[str, Hold] = {}
    for side in sides:
        async with scene.racing(side) as racer:
            holds[side.name] = await _hold(racer, users, progress)
    return holds


async def _hold(racer: Racer, users: int, progress: Progress) -> Hold:
    hold, guests, why = Hold(), list[Guest](), ""
    await racer.until_settled()
    hold.looks.append(await _look(racer, 0))
    coming: list[asyncio.Task[None]] = []
    try:
        due_at = time.monotonic()
        while len(guests) < users and not (why := _why_no_more(guests, coming)):
            guest = Guest(racer.scene, await racer.prepare())
            guests.append(guest)
            coming.append(asyncio.create_task(guest.come()))
            due_at += EVERY_S
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            if len(guests) in LOOKS:
                progress.tell(f"{racer.side.name}, {len(guests)} users")
                await asyncio.gather(*coming)
                await asyncio.sleep(_SETTLE_S)
                hold.looks.append(await _look(racer, sum(one.takes_something for one in guests)))
                due_at = time.monotonic()
        await asyncio.gather(*coming)
        await asyncio.sleep(_SETTLE_S)
        hold.why_no_more = why or f"{users} was the limit"
        hold.asked, hold.held = len(guests), sum(one.has_agent for one in guests)
        hold.starts_s = [one.start_s for one in guests if one.start_s is not None]
    finally:
        # What was found is told, whoever could not leave in order.
        await asyncio.gather(*(one.leave() for one in guests), return_exceptions=True)
    return hold


def _why_no_more(guests: Sequence[Guest], coming: Sequence[asyncio.Task[None]]) -> str:
    """Say why nobody else should come; nothing while somebody may."""
    settled = [one for one, task in zip(guests, coming, strict=True) if task.done()]
    lost = sum(one.start_s is None for one in settled)
    if lost >= _LOST_ARE_ENOUGH:
        return f"{lost} were without an agent"
    recent = [_PATIENCE_S if one.start_s is None else one.start_s for one in settled[-_RECENT:]]
    slowest_s = percentile(recent, 95, len(recent)) if len(recent) == _RECENT else None
    if slowest_s is not None and slowest_s > _START_P95_S:
        return f"starts took {slowest_s:.1f} s (p95 of {_RECENT})"
    return ""


async def _look(racer: Racer, sessions: int) -> Look:
    pids = [racer.pid, *(racer.scene.neighbours.pids[name] for name in ("livekit", "redis"))]

    def used() -> list[float]:
        return [cpu_s(pid) for pid in pids]

    before, began = await asyncio.to_thread(used), time.monotonic()
    await asyncio.sleep(_LOOK_OVER_S)
    after, lasted_s = await asyncio.to_thread(used), time.monotonic() - began
    worker, livekit, redis = ((b - a) / lasted_s for a, b in zip(before, after, strict=True))
    return Look(
        sessions=sessions,
        worker_cores=worker,
        livekit_cores=livekit,
        redis_cores=redis,
        worker_pss_mb=await asyncio.to_thread(pss_mb, racer.pid),
    )


def hold_tables(holds: Holds) -> list[Table]:
    """Return how many were held, and what each number of them took."""
    plain = holds.get(PLAIN)
    held = Table(
        part="hold",
        question=f"users who come every {EVERY_S:.2f} s and stay",
        subject="worker",
        rows=[_held(name, hold, plain) for name, hold in holds.items()],
        notes=(
            "held: an agent that has published its track was there when no more came",
            "start: until the user is subscribed to the agent's track; users who had none are in "
            "no percentile",
            f"no more come when {_LOST_ARE_ENOUGH} have no agent after {_PATIENCE_S:g} s, or the "
            f"p95 of {_RECENT} starts is above {_START_P95_S:g} s",
            *(f"{name}: {hold.why_no_more}" for name, hold in holds.items()),
        ),
    )
    cost = Table(
        part="cost",
        question=f"what a session takes, by their number ({os.cpu_count()} cores in all)",
        subject="worker, sessions",
        rows=[
            _cost(name, hold.looks[0], one)
            for name, hold in holds.items()
            for one in hold.looks[1:]
        ],
        notes=(
            "of one session, in thousandths of a core: what all of them took, less what the idle "
            "worker took",
            "the users themselves, on the same machine, are in no figure",
        ),
    )
    return [held, cost]


def _held(name: str, hold: Hold, plain: Hold | None) -> Row:
    p50 = percentile(hold.starts_s, 50, len(hold.starts_s)) if hold.starts_s else None
    p95 = percentile(hold.starts_s, 95, len(hold.starts_s)) if hold.starts_s else None
    return Row(
        name=name,
        figures={
            "held": hold.held,
            "asked": hold.asked,
            "without": hold.asked - hold.held,
            "start p50 s": p50,
            "start p95 s": p95,
            "held, of plain": None if plain is None else ratio(hold.held, plain.held),
        },
        aim=Aim(limit=_HELD_AIM, is_minimum=True) if name in OURS else None,
    )


def _cost(name: str, idle: Look, look: Look) -> Row:
    def each(total: float, without: float) -> float | None:
        return round((total - without) / look.sessions, 5) if look.sessions else None

    def cores(total: float, without: float) -> float | None:
        share = each(total, without)
        return None if share is None else round(1000 * share, 1)

    return Row(
        name=f"{name}, {look.sessions}",
        figures={
            "worker": cores(look.worker_cores, idle.worker_cores),
            "livekit": cores(look.livekit_cores, idle.livekit_cores),
            "redis": cores(look.redis_cores, idle.redis_cores),
            "PSS MB": each(look.worker_pss_mb, idle.worker_pss_mb),
        },
    )
