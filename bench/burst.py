"""Measures how many callers a worker takes that come at once: `python -m bench.burst --help`.

It starts its own Redis and livekit-server, and in turn a worker as LiveKit's starter has one and
ours. Three waves of callers come to each, one soon after the other. LiveKit offers each job once: a
caller whom no worker takes hears nothing, for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from livekit import api

from bench.neighbours import Neighbours, running_neighbours
from bench.progress import Progress
from bench.report import parser_of, report
from bench.table import Aim, Row, Table
from bench.workers import OURS, until_warm, working
from devstack.terminal import Terminal
from sessions.assignment import Assignment
from sessions.ids import SessionId, new_identity, new_session_id, room_name
from sessions.model import Newcomer

#: The starts of one wave are still going on, or have just ended, when the next one comes.
_WAVES = 3
_PAUSE_S = 2.0
#: A room that has no agent by then will never have one.
_PATIENCE_S = 15.0
_LOOK_EVERY_S = 0.02
#: As many as bench/plain_worker.py has.
_PLAIN_WARM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A worker to be tried out."""

    name: str
    module: tuple[str, ...]
    variables: Mapping[str, str]
    #: None: the callers come as soon as LiveKit knows it.
    waits_for_warm: int | None
    must_take: int | None = None


def subjects(callers: int) -> list[Subject]:
    """Return the workers that are compared, each with the callers that come at once."""
    plain = ("bench.plain_worker", "start")
    places = {"WORKER_CAPACITY": str(callers * _WAVES), "AGENT_GREETS_FIRST": "false"}

    def ours(name: str, pool: int, warm: int | None) -> Subject:
        variables = places | {"POOL_SIZE": str(pool)}
        return Subject(
            name=name,
            module=OURS,
            variables=variables,
            waits_for_warm=warm,
            must_take=callers * _WAVES,
        )

    three = _PLAIN_WARM
    return [
        Subject(name=f"plain, {three} warm", module=plain, variables={}, waits_for_warm=three),
        Subject(
            name=f"plain, {three} warm, just registered",
            module=plain,
            variables={},
            waits_for_warm=None,
        ),
        ours(f"ours, {three} warm", three, three),
        ours(f"ours, {three} warm, just registered", three, None),
        ours(f"ours, {callers} warm", callers, callers),
    ]


async def measure(neighbours: Neighbours, callers: int, folder: Path, progress: Progress) -> Table:
    """Let the same number of callers come to each worker at once."""
    rows = []
    for number, subject in enumerate(subjects(callers)):
        progress.tell(subject.name)
        agent_name = f"burst-{secrets.token_hex(4)}"
        log = folder / f"worker-{number}.log"
        variables = {**neighbours.variables, **subject.variables}
        async with working(subject.module, variables, agent_name=agent_name, log=log) as url:
            await until_warm(subject.module, url, log, subject.waits_for_warm or 0)
            waves = [
                asyncio.create_task(_burst(neighbours, agent_name, callers, wave * _PAUSE_S))
                for wave in range(_WAVES)
            ]
            rows.append(_row(subject, await asyncio.gather(*waves)))
    return Table(
        part="burst",
        question=f"how many of {_WAVES} times {callers} callers get an agent, after how many ms",
        subject="worker",
        rows=rows,
        notes=(
            f"{callers} callers at once, and again after {_PAUSE_S:g} s and {2 * _PAUSE_S:g} s",
            "the time is from asking LiveKit for the room to an agent in it; the plain one's only "
            "joins, ours has a conversation ready and its track published soon after",
            f"nobody comes after {_PATIENCE_S:g} s: LiveKit offers a job once",
        ),
    )


async def _burst(
    neighbours: Neighbours, agent_name: str, callers: int, delay_s: float
) -> list[float]:
    """Open rooms at once; return after how many ms each of those that got an agent had it."""
    await asyncio.sleep(delay_s)
    sessions = [new_session_id() for _ in range(callers)]
    identities = [new_identity() for _ in sessions]
    for session_id, identity in zip(sessions, identities, strict=True):
        await neighbours.store.admit(Newcomer(id=session_id, user_id=None, identity=identity))
    waits = (
        _call(neighbours.livekit, agent_name, session_id, identity)
        for session_id, identity in zip(sessions, identities, strict=True)
    )
    took_ms = await asyncio.gather(*waits)
    return sorted(took for took in took_ms if took is not None)


async def _call(
    livekit: api.LiveKitAPI, agent_name: str, session_id: SessionId, identity: str
) -> float | None:
    room = room_name(session_id)
    note = Assignment(session_id=session_id, identity=identity).to_metadata()
    dispatch = api.RoomAgentDispatch(agent_name=agent_name, metadata=note)
    began = time.monotonic()
    await livekit.room.create_room(api.CreateRoomRequest(name=room, agents=[dispatch]))
    while (waited_s := time.monotonic() - began) < _PATIENCE_S:
        found = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
        if found.participants:
            return waited_s * 1000
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


def _row(subject: Subject, waves: Sequence[list[float]]) -> Row:
    took_ms = sorted(took for wave in waves for took in wave)
    return Row(
        name=subject.name,
        figures={
            "took": len(took_ms),
            "by wave": " ".join(str(len(wave)) for wave in waves),
            "median": round(statistics.median(took_ms)) if took_ms else None,
            "last": round(took_ms[-1]) if took_ms else None,
        },
        aim=None if subject.must_take is None else Aim(limit=subject.must_take, is_minimum=True),
    )


def _callers(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text} is no number from 2 to 50")
    return int(text)


async def _run(callers: int, env: Mapping[str, str]) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="bench-burst-") as folder:
        async with running_neighbours(env, Path(folder)) as neighbours:
            progress = Progress("burst", Terminal(env, sys.stderr))
            table = await measure(neighbours, callers, Path(folder), progress)
            progress.done()
            return [table]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("burst", __doc__)
    parser.add_argument(
        "--callers", type=_callers, default=10, metavar="N", help="in each wave (10)"
    )
    options = parser.parse_args(argv)
    return report(partial(_run, options.callers), options.json)


if __name__ == "__main__":
    sys.exit(main())
