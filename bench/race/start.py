"""One user at a time: how soon there is an agent's voice, and what a start costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.progress import Progress
from bench.race.figures import Measure, each
from bench.race.processes import cpu_s, until_calm
from bench.race.scene import Racer, Scene, until_at
from bench.race.sides import Side
from bench.table import Row, Table
from devstack.talk.caller import CallerError

#: Who hears nothing by then was not served.
_PATIENCE_S = 20.0
#: After this a call is tried whatever else the machine does.
_CALM_WITHIN_S = 20.0
#: So long a call is at least, so that all calls cost as much talking.
_CALL_S = 5.0
_TRACK_OF_PLAIN = 0.55
_GREETING_OF_PLAIN = 0.52
_CPU_OF_PLAIN = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start; None: the user was not served. CPU is that of all the worker's processes."""

    track_ms: float | None = None
    greeting_ms: float | None = None
    #: Until the greeting is over, and a warm process is there for the one that was taken.
    refilled_cpu_s: float | None = None
    #: Until the call has ended and the worker is at rest.
    ended_cpu_s: float | None = None


Starts = Mapping[str, Sequence[Start]]


async def measure_start(
    scene: Scene, sides: Sequence[Side], rounds: int, progress: Progress
) -> Starts:
    """Have a user come to each worker in turn; all workers are there the whole time."""
    starts: dict[str, list[Start]] = {side.name: [] for side in sides}
    async with scene.racing_all(sides) as racers:
        # The first call of a worker is unlike all others: caches fill, clips are made.
        for number in range(rounds + 1):
            for racer in racers:
                progress.tell(f"start, round {number} of {rounds}, {racer.side.name}")
                one = await _start(racer)
                if number:
                    starts[racer.side.name].append(one)
    return starts


async def _start(racer: Racer) -> Start:
    scene, visit = racer.scene, await racer.prepare()
    await racer.until_settled()
    await until_calm(_CALM_WITHIN_S)
    before_s = await asyncio.to_thread(cpu_s, racer.pid)
    began = time.monotonic()
    await scene.open(visit)
    try:
        async with scene.caller(visit) as caller:
            greeting = await caller.wait_greeting(_PATIENCE_S)
            racer.calls += 1
            track_at = caller.log.moments.agent_track_at or greeting.began_at
            await racer.until_warm()
            refilled_s = await asyncio.to_thread(cpu_s, racer.pid)
            await until_at(began + _CALL_S)
    except CallerError:
        racer.calls += scene.hook.of(visit.room).agent_active_at is not None
        await scene.close(visit)
        return Start()
    await scene.close(visit)
    return Start(
        track_ms=(track_at - began) * 1000,
        greeting_ms=(greeting.began_at - began) * 1000,
        refilled_cpu_s=refilled_s - before_s,
        ended_cpu_s=await racer.until_settled() - before_s,
    )


def start_tables(starts: Starts) -> list[Table]:
    """Return the medians, and how ours compare."""
    rows: list[Row] = [row for one in _measures(starts) for row in one.rows()]
    served = ", ".join(
        f"{name} {sum(one.greeting_ms is not None for one in found)} of {len(found)}"
        for name, found in starts.items()
    )
    return [
        Table(
            part="start",
            question="one user at a time: how soon there is an agent, what a start costs",
            subject="what, worker",
            rows=rows,
            notes=(
                f"served: {served}; from asking LiveKit for the room, which the user joins as "
                "soon as that is answered",
                "track: the user is subscribed to the agent's voice (track_subscribed); greeting: "
                "the first sound of it that is no silence",
                "CPU: of all the worker's processes, ended ones included; refilled: until the "
                "greeting is over and the pool is full; ended: until the room is closed and the "
                f"worker at rest; calls last {_CALL_S:g} s or a little more",
            ),
        )
    ]


def _measures(starts: Starts) -> tuple[Measure, ...]:
    names = list(starts)
    return (
        Measure(
            name="track ms",
            found=_found(starts, "track_ms"),
            of_plain=each(names, _TRACK_OF_PLAIN),
        ),
        Measure(
            name="greeting ms",
            found=_found(starts, "greeting_ms"),
            of_plain=each(names, _GREETING_OF_PLAIN),
            beats_openrtc=True,
        ),
        Measure(
            name="CPU s, refilled",
            found=_found(starts, "refilled_cpu_s"),
            of_plain=each(names, _CPU_OF_PLAIN),
        ),
        Measure(
            name="CPU s, ended",
            found=_found(starts, "ended_cpu_s"),
            of_plain=each(names, _CPU_OF_PLAIN),
        ),
    )


def _found(starts: Starts, name: str) -> dict[str, list[float]]:
    values = {side: [getattr(one, name) for one in found] for side, found in starts.items()}
    return {
        side: [float(one) for one in found if one is not None] for side, found in values.items()
    }
