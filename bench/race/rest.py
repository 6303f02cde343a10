"""Users who are there and say nothing: what a worker takes for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.progress import Progress
from bench.race.calls import holding, used_over
from bench.race.figures import Measure
from bench.race.processes import pss_mb
from bench.race.scene import Scene
from bench.race.sides import PROCESS, SHARED, Side
from bench.table import Table
from devstack.talk.caller import Caller

_OVER_S = 20.0
_IDLE_OVER_S = 10.0
#: What the agent does about a microphone that is gone is over by then.
_NOTED_AFTER_S = 2.0
_CORES_OF_PLAIN = {PROCESS: 0.6, SHARED: 0.35}
_PSS_MB = {PROCESS: 40.0, SHARED: 8.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A worker without calls, and with so many."""

    sessions: int
    idle_cores: float
    idle_pss_mb: float
    #: While microphones are open, and once users have none.
    cores: float
    silent_cores: float
    pss_mb: float

    @property
    def session_cores(self) -> float:
        """What one more session takes of the CPU, in cores."""
        return (self.cores - self.idle_cores) / self.sessions

    @property
    def silent_session_cores(self) -> float:
        """The same for a user without a microphone."""
        return (self.silent_cores - self.idle_cores) / self.sessions

    @property
    def session_pss_mb(self) -> float:
        """What one more session takes of the memory."""
        return (self.pss_mb - self.idle_pss_mb) / self.sessions


Rests = Mapping[str, Sequence[Rest]]


async def measure_rest(
    scene: Scene, sides: Sequence[Side], *, rounds: int, sessions: int, progress: Progress
) -> Rests:
    """Start each worker in turn, look at it, and again while users are there."""
    rests: dict[str, list[Rest]] = {side.name: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            progress.tell(f"round {number} of {rounds}, {side.name}")
            rests[side.name].append(await _rest(scene, side, sessions))
    return rests


async def _rest(scene: Scene, side: Side, sessions: int) -> Rest:
    async with scene.racing(side, takes_all=True) as racer:
        await racer.until_settled()
        idle = await used_over(racer, _IDLE_OVER_S)
        idle_mb = await asyncio.to_thread(pss_mb, racer.pid)
        async with holding(racer, sessions) as callers:
            use = await used_over(racer, _OVER_S)
            with_mb = await asyncio.to_thread(pss_mb, racer.pid)
            await asyncio.gather(*map(_put_away_microphone, callers))
            await asyncio.sleep(_NOTED_AFTER_S)
            silent = await used_over(racer, _OVER_S)
    return Rest(
        sessions=sessions,
        idle_cores=idle.cores,
        idle_pss_mb=idle_mb,
        cores=use.cores,
        silent_cores=silent.cores,
        pss_mb=with_mb,
    )


async def _put_away_microphone(caller: Caller) -> None:
    user = caller.room.local_participant
    for sid in list(user.track_publications):
        await user.unpublish_track(sid)


def rest_tables(rests: Rests) -> list[Table]:
    """Return the medians, and how ours compare."""
    measures = (
        Measure(
            name="cores, a silent session",
            found=_found(rests, "silent_session_cores"),
            of_plain=_of(rests, _CORES_OF_PLAIN),
        ),
        Measure(name="cores, a quiet session", found=_found(rests, "session_cores")),
        Measure(name="cores, all", found=_found(rests, "cores")),
        Measure(
            name="PSS MB, a session",
            found=_found(rests, "session_pss_mb"),
            at_most=_of(rests, _PSS_MB),
        ),
        Measure(name="PSS MB, all", found=_found(rests, "pss_mb")),
        Measure(name="PSS MB, idle", found=_found(rests, "idle_pss_mb")),
    )
    sessions = max((one.sessions for found in rests.values() for one in found), default=0)
    return [
        Table(
            part="rest",
            question=f"{sessions} users who say nothing: what a worker takes",
            subject="what, worker",
            rows=[row for one in measures for row in one.rows()],
            notes=(
                f"over {_OVER_S:g} s each, after all greetings and the refill; silent: without a "
                "microphone; quiet: it sends the noise of a quiet room, as it does for the PSS",
                "a session: less what the same worker took before the first of them came, by "
                "session; all: not less it, of all the worker's processes",
                "the plain worker here takes calls and keeps its pool however busy the machine is",
            ),
        )
    ]


def _of(rests: Rests, aims: Mapping[str, float]) -> dict[str, float]:
    return {side: limit for side, limit in aims.items() if side in rests}


def _found(rests: Rests, name: str) -> dict[str, list[float]]:
    return {side: [float(getattr(one, name)) for one in found] for side, found in rests.items()}
