"""Ten users at once: how soon there is an agent in their rooms, and how many have one.

Nobody of them joins. LiveKit itself tells the benchmark by webhook that the agent's connection is
up: the same for all workers, and the cheapest for the machine. The agent's track is no measure
here: it is not published before a user is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil  # type: ignore[import-untyped]

from bench.progress import Progress
from bench.race.figures import Measure, each, percentile
from bench.race.processes import until_calm
from bench.race.scene import Racer, Scene
from bench.race.sides import OURS, Side
from bench.table import Aim, Row, Table

USERS = 10
#: LiveKit offers a job once: a room that has no agent by then will never have one.
_PATIENCE_S = 15.0
_CALM_WITHIN_S = 20.0
_P90_OF_PLAIN = 0.33
Kind = Literal["warm", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What came of it: ms of those that were served, sorted."""

    active_ms: Sequence[float]
    #: Its worker was gone before it began, and nobody had asked it to go.
    had_no_worker: bool = False


Bursts = Mapping[str, Sequence[Burst]]


async def measure_warm(
    scene: Scene, sides: Sequence[Side], rounds: int, progress: Progress
) -> Bursts:
    """Have the users come to workers that are warm and at rest, in turns."""
    bursts: dict[str, list[Burst]] = {side.name: [] for side in sides}
    async with scene.racing_all(sides) as racers:
        for racer in racers:
            # The first call of a worker is unlike all others: it imports what was not needed yet.
            await _burst(racer, users=1)
        for number in range(1, rounds + 1):
            for racer in racers:
                progress.tell(f"warm, round {number} of {rounds}, {racer.side.name}")
                bursts[racer.side.name].append(await _warm_burst(racer))
    return bursts


async def _warm_burst(racer: Racer) -> Burst:
    try:
        await racer.until_settled()
    except psutil.NoSuchProcess:
        return Burst(active_ms=(), had_no_worker=True)
    await until_calm(_CALM_WITHIN_S)
    return await _burst(racer)


async def measure_new(
    scene: Scene, sides: Sequence[Side], rounds: int, progress: Progress
) -> Bursts:
    """Have them come to workers that LiveKit has just got to know, a new one each time."""
    bursts: dict[str, list[Burst]] = {side.name: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            progress.tell(f"just registered, round {number} of {rounds}, {side.name}")
            await until_calm(_CALM_WITHIN_S)
            async with scene.racing(side, is_warm=False) as racer:
                bursts[side.name].append(await _burst(racer))
    return bursts


async def _burst(racer: Racer, users: int = USERS) -> Burst:
    scene, visits = racer.scene, [await racer.prepare() for _ in range(users)]
    began = time.monotonic()
    await asyncio.gather(*(scene.open(visit) for visit in visits))
    news = [scene.hook.of(visit.room) for visit in visits]

    def is_complete() -> bool:
        return all(one.agent_active_at for one in news)

    await scene.hook.until(is_complete, began + _PATIENCE_S)
    active = [one.agent_active_at - began for one in news if one.agent_active_at is not None]
    racer.calls += len(active)
    await asyncio.gather(*(scene.close(visit) for visit in visits))
    return Burst(active_ms=sorted(1000 * one for one in active))


def burst_table(bursts: Bursts, kind: Kind) -> Table:
    """Return the medians of the rounds, how ours compare, and how many were served."""
    names = list(bursts)
    is_new = kind == "new"
    measure = Measure(
        name="active, p90 ms",
        found=_p90(bursts),
        of_plain={} if is_new else each(names, _P90_OF_PLAIN),
        beats_openrtc=not is_new,
    )
    aim = Aim(limit=USERS, is_minimum=True)
    served = [
        Row(
            name=f"served, fewest: {side}",
            figures={"median": min(len(one.active_ms) for one in found)},
            aim=aim if side in OURS else None,
        )
        for side, found in bursts.items()
        if found
    ]
    when = "in the second in which the worker registers" if is_new else "on a warm worker"
    return Table(
        part="burst, just registered" if is_new else "burst",
        question=f"{USERS} rooms at once {when}",
        subject="what, worker",
        rows=[*measure.rows(), *served],
        notes=(
            "p90 of each round, medians of the rounds; rooms without an agent count as slowest, "
            "and a round where they are more than one in ten has no p90",
            "active: LiveKit's webhook says that the agent has joined: its connection is up",
            f"nobody is in the rooms; after {_PATIENCE_S:g} s no agent is expected any more",
            *_gone(bursts),
        ),
    )


def _gone(bursts: Bursts) -> Iterator[str]:
    for side, rounds in bursts.items():
        if count := sum(one.had_no_worker for one in rounds):
            yield f"{side}: in {count} of {len(rounds)} rounds its worker had ended by itself"


def _p90(bursts: Bursts) -> dict[str, list[float]]:
    found = {
        side: [percentile(one.active_ms, 90, USERS) for one in rounds]
        for side, rounds in bursts.items()
    }
    return {side: [one for one in values if one is not None] for side, values in found.items()}
