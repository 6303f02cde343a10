"""Some sessions are held, some of them talk all the time, and new ones come and go meanwhile.

What a new user waits for is the first sound, from the opening of the room on. Each comes at its due
time, whatever has become of those before, and leaves a little after the first sound, or after its
patience is over. The plain worker takes calls or refuses them as the framework has it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.progress import Progress
from bench.race.crowd import Held, Talker, fill
from bench.race.figures import middle
from bench.race.guest import Listener
from bench.race.processes import Meter, pss_mb
from bench.race.scene import Racer, Scene, until_at
from bench.race.sides import Side
from bench.soak_load import strain
from devstack.talk.audio import Sound

#: So long a new user stays after its first sound.
STAYS_S = 1.5
_TELL_EVERY_S = 15.0
#: For the answer to what was asked last.
_LAST_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many there are, and for how long."""

    minutes: float
    held: int
    talking: int
    every_s: float


@dataclass(slots=True, kw_only=True)
class Mix:
    """What came of it for one worker."""

    #: New sessions.
    asked: int = 0
    #: From the opening of the room to the first sound, of those that had one.
    first_s: list[float] = field(default_factory=list)
    #: Why others had none.
    failures: Counter[str] = field(default_factory=Counter)
    #: Of those held: with an agent when the first new one came, and after the last one.
    held_began: int = 0
    held_ended: int = 0
    #: Why others were not there when it began.
    held_failures: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    answered_s: list[float] = field(default_factory=list)
    #: Of the worker, of livekit, of the users, who are in this process.
    cores: Mapping[str, float] = field(default_factory=dict)
    machine_percent: float | None = None
    #: What one turn of the users' event loop in a hundred was late by, or more.
    late_p99_ms: float | None = None
    pss_mb: float | None = None
    #: Errors, of whoever came or left.
    troubles: Counter[str] = field(default_factory=Counter)

    def note(self, results: Sequence[BaseException | None]) -> None:
        """Count errors, as `asyncio.gather` returns them."""
        self.troubles.update(f"{type(one).__name__}: {one}" for one in results if one is not None)


Mixes = Mapping[str, Mix]


async def measure_mixed(
    scene: Scene, sides: Sequence[Side], sentences: Sequence[Sound], plan: Plan, progress: Progress
) -> Mixes:
    """Load each worker in turn."""
    mixes: dict[str, Mix] = {}
    for side in sides:
        async with scene.racing(side) as racer:
            mixes[side.name] = await _mix(racer, sentences, plan, progress)
    return mixes


async def _mix(racer: Racer, sentences: Sequence[Sound], plan: Plan, progress: Progress) -> Mix:
    mix, held = Mix(), list[Held]()
    await racer.until_settled()
    progress.say(f"{racer.side.name}: {plan.held} users come to stay")
    try:
        mix.note(await fill(racer, held, users=plan.held, talkers=plan.talking))
        mix.held_began = sum(one.has_agent for one in held)
        mix.held_failures.update(one.what_failed for one in held if one.what_failed)
        ends_at = time.monotonic() + plan.minutes * 60
        async with _talking(held, sentences, ends_at, mix), _telling(racer, held, mix, progress):
            await _load(racer, plan.every_s, ends_at, mix)
        mix.held_ended = sum(one.has_agent for one in held)
    finally:
        left = await asyncio.gather(*(one.leave() for one in held), return_exceptions=True)
        mix.note(left)
    return mix


async def _load(racer: Racer, every_s: float, ends_at: float, mix: Mix) -> None:
    """Have new users come until a moment, and look what that takes; wait until they are gone."""
    coming: list[asyncio.Task[None]] = []
    meter = Meter({"worker": racer.pid, "livekit": racer.scene.neighbours.pids["livekit"]})
    try:
        async with strain() as load:
            await meter.begin()
            began, before_s, due_at = time.monotonic(), time.process_time(), time.monotonic()
            while due_at < ends_at:
                await until_at(due_at)
                coming.append(asyncio.create_task(_come_and_go(racer, mix), name="new user"))
                due_at += every_s
            await until_at(ends_at)
            users = (time.process_time() - before_s) / (time.monotonic() - began)
            mix.cores = {**await meter.cores(), "users": users}
            mix.pss_mb = await asyncio.to_thread(pss_mb, racer.pid)
        mix.machine_percent, mix.late_p99_ms = load.cpu_mean, load.late_p99_ms
    finally:
        # Each has its deadlines.
        mix.note(await asyncio.gather(*coming, return_exceptions=True))


async def _come_and_go(racer: Racer, mix: Mix) -> None:
    mix.asked += 1
    user = Listener(racer.scene, await racer.prepare())
    try:
        await user.come()
        if user.start_s is None:
            mix.failures[user.what_failed] += 1
        else:
            mix.first_s.append(user.start_s)
            await asyncio.sleep(STAYS_S)
    finally:
        await user.leave()


@asynccontextmanager
async def _talking(
    held: Sequence[Held], sentences: Sequence[Sound], ends_at: float, mix: Mix
) -> AsyncIterator[None]:
    """Have the talkers talk; note what was answered when the block is left."""
    talkers = [one for one in held if isinstance(one, Talker)]
    tasks: list[asyncio.Task[None]] = []
    for number, one in enumerate(talkers):
        # Not all the same at the same time.
        first = number % len(sentences)
        order = [*sentences[first:], *sentences[:first]]
        tasks.append(asyncio.create_task(one.talk(order, ends_at), name="talker"))
    try:
        yield
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_ANSWER_S)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        # Who is interrupted has a question without an answer, which counts as that.
        mix.note([one for one in ended if not isinstance(one, asyncio.CancelledError)])
        mix.questions = sum(one.answers.asked for one in talkers)
        mix.answered_s = [s for one in talkers for s in one.answers.answered_s]


@asynccontextmanager
async def _telling(
    racer: Racer, held: Sequence[Held], mix: Mix, progress: Progress
) -> AsyncIterator[None]:
    teller = asyncio.create_task(_tell(racer, held, mix, progress))
    try:
        yield
    finally:
        teller.cancel()
        await asyncio.wait({teller})


async def _tell(racer: Racer, held: Sequence[Held], mix: Mix, progress: Progress) -> None:
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        p50_s = middle(mix.first_s)
        progress.say(
            f"{racer.side.name}: {mix.asked} starts, {len(mix.first_s)} served, "
            f"{mix.failures.total()} not, first audio p50 "
            f"{'-' if p50_s is None else f'{p50_s:.2f} s'}, "
            f"{sum(one.has_agent for one in held)} of {len(held)} held"
        )
