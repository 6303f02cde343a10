"""Users who come one after the other and stay: how many a worker holds, and what each one takes.

They have no microphone, and nobody unpacks what they are sent: what is measured is the worker, and
LiveKit. At some numbers nobody comes for a while, and the machine is looked at.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.progress import Progress
from bench.race.figures import percentile, ratio
from bench.race.guest import PATIENCE_S, Guest
from bench.race.processes import Meter, pss_mb
from bench.race.scene import Racer, Scene
from bench.race.sides import OURS, PLAIN, Side
from bench.table import Aim, Row, Table

EVERY_S = 1 / 1.3
#: The cost is looked at when so many are there.
LOOKS = (10, 25, 50, 100)
_START_P95_S = 5.0
#: Of so many starts in a row.
_RECENT = 20
_LOST_ARE_ENOUGH = 5
_SETTLE_S = 8.0
_LOOK_OVER_S = 10.0
_HELD_AIM = 100


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
    recent = [PATIENCE_S if one.start_s is None else one.start_s for one in settled[-_RECENT:]]
    slowest_s = percentile(recent, 95, len(recent)) if len(recent) == _RECENT else None
    if slowest_s is not None and slowest_s > _START_P95_S:
        return f"starts took {slowest_s:.1f} s (p95 of {_RECENT})"
    return ""


async def _look(racer: Racer, sessions: int) -> Look:
    meter = Meter({"worker": racer.pid, **racer.scene.neighbours.pids})
    await meter.begin()
    await asyncio.sleep(_LOOK_OVER_S)
    cores = await meter.cores()
    return Look(
        sessions=sessions,
        worker_cores=cores["worker"],
        livekit_cores=cores["livekit"],
        redis_cores=cores["redis"],
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
            f"no more come when {_LOST_ARE_ENOUGH} have no agent after {PATIENCE_S:g} s, or the "
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
