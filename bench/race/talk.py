"""Users who talk with the agent all the time: what that takes, and how soon they are answered."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.progress import Progress
from bench.race.asking import asking
from bench.race.calls import holding, used_over
from bench.race.figures import Measure, each
from bench.race.scene import Scene
from bench.race.sides import Side
from bench.table import Table
from devstack.talk.audio import Sound

_OVER_S = 45.0
#: One is asked after the other: to hear, to think, to speak.
_STAGES = 3
_CORES_OF_PLAIN = 0.55
_RESPONSE_OF_PLAIN = 0.70


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Some calls at once. `response_ms` has the provider's own time taken out already."""

    session_cores: float
    response_ms: Sequence[float]
    provider_ms: float
    unanswered: int


Talks = Mapping[str, Sequence[Talk]]


async def measure_talk(
    scene: Scene,
    sides: Sequence[Side],
    sentences: Sequence[Sound],
    *,
    rounds: int,
    sessions: int,
    progress: Progress,
) -> Talks:
    """Have each worker in turn talk with users for a while."""
    talks: dict[str, list[Talk]] = {side.name: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            progress.tell(f"round {number} of {rounds}, {side.name}")
            talks[side.name].append(await _talk(scene, side, sentences, sessions))
    return talks


async def _talk(scene: Scene, side: Side, sentences: Sequence[Sound], sessions: int) -> Talk:
    async with scene.racing(side, takes_all=True) as racer:
        await racer.until_settled()
        async with holding(racer, sessions) as callers:
            await scene.provider_ms()
            ends_at = time.monotonic() + _OVER_S
            async with asking(callers, sentences, ends_at) as heard:
                use = await used_over(racer, _OVER_S)
            took_ms = await scene.provider_ms()
    own_ms = _STAGES * statistics.median(took_ms) if took_ms else 0.0
    return Talk(
        session_cores=use.cores / sessions,
        response_ms=[1000 * s - own_ms for one in heard for s in one.answered_s],
        provider_ms=own_ms,
        unanswered=sum(one.unanswered for one in heard),
    )


def talk_tables(talks: Talks) -> list[Table]:
    """Return the medians, and how ours compare."""
    names = list(talks)
    measures = (
        Measure(
            name="cores, a session",
            found={side: [one.session_cores for one in found] for side, found in talks.items()},
            of_plain=each(names, _CORES_OF_PLAIN),
        ),
        Measure(
            name="response ms",
            found={
                side: [ms for one in found for ms in one.response_ms]
                for side, found in talks.items()
            },
            of_plain=each(names, _RESPONSE_OF_PLAIN),
        ),
    )
    counts = ", ".join(
        f"{side} {sum(len(one.response_ms) for one in found)}, "
        f"unanswered {sum(one.unanswered for one in found)}"
        for side, found in talks.items()
    )
    own_ms = [one.provider_ms for found in talks.values() for one in found]
    shown_ms = statistics.median(own_ms) if own_ms else 0.0
    return [
        Table(
            part="talk",
            question="users who talk all the time, in turns with the agent",
            subject="what, worker",
            rows=[row for one in measures for row in one.rows()],
            notes=(
                f"answers: {counts}",
                f"over {_OVER_S:g} s; cores: of all the worker's processes, by session, what it "
                "takes without calls not taken out",
                "response: from the end of the user's speech to the first sound of the answer, "
                f"less what the provider took for its three parts (about {shown_ms:.1f} ms)",
            ),
        )
    ]
