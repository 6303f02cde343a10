"""Has users come to a fleet, stay, talk and leave; and looks what they take at each step.

Those who stay have no microphone, as in `bench/race/hold.py`; a few others come then, first say
nothing, and then talk all the time, as in `bench/race/talk.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.capacity.fleet import Counts, Fleet, State
from bench.progress import Progress
from bench.race.asking import asking
from bench.race.calls import holding
from bench.race.guest import Guest
from bench.race.hold import EVERY_S
from bench.race.processes import until_quiet
from bench.race.scene import until_at
from devstack.talk.audio import Sound
from devstack.talk.caller import Caller

LOOK_OVER_S = 12.0
#: Of a start, what is not over by then is over; so has everybody been left alone for a while.
SETTLE_S = 8.0
_TALK_OVER_S = 30.0
_REST_WITHIN_S = 60.0
#: RTP in UDP in IPv4: headers, and what SRTP adds to each packet.
_HEADER_BYTES = 20 + 8 + 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was used over a time, by second; and how it was at the end of it."""

    silent: int = 0
    quiet: int = 0
    talking: int = 0
    workers_cores: Sequence[float]
    nodes_cores: Sequence[float]
    redis_cores: float
    redis_calls_per_s: float
    media_kbits: float
    state: State

    @property
    def sessions(self) -> int:
        """How many were there."""
        return self.silent + self.quiet + self.talking

    @property
    def workers_mb(self) -> float:
        """The memory of all workers."""
        return sum(self.state.workers_mb)

    @property
    def nodes_mb(self) -> float:
        """The memory of all livekit-servers."""
        return sum(self.state.nodes_mb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """What was used, in CPU seconds, while users came, or left."""

    users: int
    lasted_s: float
    #: Sessions times the seconds that each was there.
    held_s: float
    workers_s: float
    nodes_s: float
    redis_s: float


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of one fleet."""

    nodes: int
    asked: int = 0
    served: int = 0
    starts_s: list[float] = field(default_factory=list)
    #: Nobody; the silent ones at each size; with those who say nothing; with the same who talk.
    looks: list[Look] = field(default_factory=list)
    coming: list[Spell] = field(default_factory=list)
    leaving: Spell | None = None
    answered: int = 0
    unanswered: int = 0

    def look(self, *, silent: int, quiet: int = 0, talking: int = 0) -> Look | None:
        """Return the look at so many; None where there was none."""
        wanted = (silent, quiet, talking)
        found = (one for one in self.looks if (one.silent, one.quiet, one.talking) == wanted)
        return next(found, None)


async def measure_run(
    fleet: Fleet,
    *,
    sizes: Sequence[int],
    talkers: int,
    sentences: Sequence[Sound],
    progress: Progress,
) -> Run:
    """Fill a fleet step by step, have some talk, and let all of them go."""
    run, guests = Run(nodes=len(fleet.racers)), list[Guest]()
    name = f"{run.nodes} node{'s' if run.nodes > 1 else ''}"
    run.looks.append(await look(fleet))
    try:
        for size in sizes:
            progress.tell(f"{name}, {size} users")
            run.coming.append(await _fill(fleet, guests, size))
            run.looks.append(await look(fleet, silent=_there(guests)))
        run.starts_s = [one.start_s for one in guests if one.start_s is not None]
        run.asked, run.served = len(guests), sum(one.has_agent for one in guests)
        progress.tell(f"{name}, {talkers} more who talk")
        await _talk(fleet, run, guests, talkers, sentences)
        progress.tell(f"{name}, all leave")
        run.leaving = await _leave(fleet, guests)
    finally:
        await asyncio.gather(*(one.leave() for one in guests), return_exceptions=True)
    return run


def _there(guests: Sequence[Guest]) -> int:
    return sum(one.takes_something for one in guests)


async def _fill(fleet: Fleet, guests: list[Guest], size: int) -> Spell:
    """Have users come at an even pace until there are so many, and wait until they are settled."""
    before, there, arrivals = await fleet.counts(), _there(guests), list[float]()
    began, coming = time.monotonic(), list[asyncio.Task[None]]()
    while len(guests) < size:
        guests.append(await fleet.guest(len(guests)))
        coming.append(asyncio.create_task(guests[-1].come()))
        arrivals.append(time.monotonic())
        await until_at(began + len(coming) * EVERY_S)
    await asyncio.gather(*coming)
    await asyncio.sleep(SETTLE_S)
    after = await fleet.counts()
    held_s = there * (after.at - before.at) + sum(after.at - one for one in arrivals)
    return _spell(before, after, users=len(coming), held_s=held_s)


async def _talk(
    fleet: Fleet, run: Run, guests: Sequence[Guest], talkers: int, sentences: Sequence[Sound]
) -> None:
    """Have some more come, look while they say nothing, and while they talk all the time."""
    shares = [len(range(place, talkers, run.nodes)) for place in range(run.nodes)]
    async with AsyncExitStack() as stack:
        callers: list[Caller] = []
        for racer, share in zip(fleet.racers, shares, strict=True):
            callers += await stack.enter_async_context(holding(racer, share))
        if not callers:
            return
        await asyncio.sleep(SETTLE_S)
        silent = _there(guests)
        run.looks.append(await look(fleet, silent=silent, quiet=len(callers)))
        ends_at = time.monotonic() + _TALK_OVER_S
        async with asking(callers, sentences, ends_at) as heard:
            run.looks.append(
                await look(fleet, silent=silent, talking=len(callers), over_s=_TALK_OVER_S)
            )
    run.answered = sum(len(one.answered_s) for one in heard)
    run.unanswered = sum(one.unanswered for one in heard)


async def _leave(fleet: Fleet, guests: list[Guest]) -> Spell:
    """Have all leave one after the other, and wait until the workers rest."""
    before, there, held_s = await fleet.counts(), _there(guests), 0.0
    while guests:
        # What was found is told, whoever could not leave in order.
        await asyncio.gather(guests.pop().leave(), return_exceptions=True)
        held_s += time.monotonic() - before.at
    for racer in fleet.racers:
        await until_quiet(racer.pid, _REST_WITHIN_S)
    return _spell(before, await fleet.counts(), users=there, held_s=held_s)


def _spell(before: Counts, after: Counts, *, users: int, held_s: float) -> Spell:
    return Spell(
        users=users,
        lasted_s=after.at - before.at,
        held_s=held_s,
        workers_s=sum(after.workers_s) - sum(before.workers_s),
        nodes_s=sum(after.nodes_s) - sum(before.nodes_s),
        redis_s=after.redis_s - before.redis_s,
    )


async def look(
    fleet: Fleet, *, silent: int = 0, quiet: int = 0, talking: int = 0, over_s: float = LOOK_OVER_S
) -> Look:
    """Look what so many take over a time in which nobody comes or goes."""
    before = await fleet.counts()
    await asyncio.sleep(over_s)
    after = await fleet.counts()
    lasted_s = after.at - before.at
    packets, media = after.packets - before.packets, after.media_bytes - before.media_bytes
    return Look(
        silent=silent,
        quiet=quiet,
        talking=talking,
        workers_cores=_rates(before.workers_s, after.workers_s, lasted_s),
        nodes_cores=_rates(before.nodes_s, after.nodes_s, lasted_s),
        redis_cores=(after.redis_s - before.redis_s) / lasted_s,
        redis_calls_per_s=(after.redis_calls - before.redis_calls) / lasted_s,
        # Both directions are counted, and carry the same.
        media_kbits=(media + packets * _HEADER_BYTES) / lasted_s * 8 / 1000 / 2,
        state=await fleet.state(),
    )


def _rates(before: Sequence[float], after: Sequence[float], lasted_s: float) -> list[float]:
    return [(late - early) / lasted_s for early, late in zip(before, after, strict=True)]
