"""Measures how soon a user whose agent was lost hears one again: `python -m bench.recovery --help`.

It starts its own Redis, livekit-server and token server, a scripted provider, two workers of ours,
and a plain one as LiveKit's starter has it; ours once with a process for each call, and once with
calls that share one. A user joins over WebRTC and is greeted; where processes are shared, several
whose agents live in the same one. Then that process is killed, or stopped, as a blocked event loop
would be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.progress import Progress
from bench.recovery_fleet import Call, Scene, running_fleet
from bench.report import few, parser_of, report
from bench.table import Aim, Row, Table
from devstack.talk.caller import Caller
from devstack.terminal import Terminal

PLAIN, PROCESS, SHARED = "plain", "ours, process", "ours, shared"
#: What tells our workers which kind they are.
_ISOLATION = {PROCESS: "process", SHARED: "shared"}
_FAULTS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
#: By when 95 of 100 shall hear the replacement; where several are lost at once, a little later.
_AIMS = {
    ("killed", PROCESS): Aim(limit=1.5),
    ("killed", SHARED): Aim(limit=2),
    ("stopped", PROCESS): Aim(limit=8),
    ("stopped", SHARED): Aim(limit=8),
}
_GREETED_WITHIN_S = 60.0
#: After this nobody is expected any more.
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.02
#: Two agents may be in a room for so long.
_ALONE_AFTER_S = 5.0


@dataclass(slots=True)
class Losses:
    """What became of the calls of one kind of worker whose agents were lost."""

    after_s: list[float] = field(default_factory=list)
    calls: int = 0
    #: Rooms with more than one agent a while later.
    duplicates: int = 0


Found = dict[tuple[str, str], Losses]


async def measure(scene: Scene, kinds: Sequence[str], rounds: int, progress: Progress) -> Found:
    """Lose agents of these kinds in both ways, in turns."""
    losses = {(fault, kind): Losses() for fault in _FAULTS for kind in kinds}
    for number in range(rounds):
        for (fault, kind), found in losses.items():
            progress.tell(f"round {number + 1} of {rounds}, {kind}, {fault}")
            opened: list[str] = []
            try:
                if kind == PLAIN:
                    calls, pids = [await scene.start_plain()], None
                    opened.append(calls[0].room)
                else:
                    calls, pids = await scene.calls(opened)
                await _lose(scene, found, _FAULTS[fault], calls, pids)
            finally:
                await asyncio.gather(*(scene.close(room) for room in opened))
    return losses


async def _lose(
    scene: Scene,
    found: Losses,
    fault: signal.Signals,
    calls: Sequence[Call],
    pids: Sequence[int] | None,
) -> None:
    """Have users join these calls, and lose the processes of their agents."""
    async with AsyncExitStack() as stack:
        url, callers = scene.variables["LIVEKIT_URL"], list[Caller]()
        for call in calls:
            callers.append(await stack.enter_async_context(Caller(url, call.token)))
        await asyncio.gather(*(one.wait_greeting(_GREETED_WITHIN_S) for one in callers))
        await asyncio.gather(*(one.wait_quiet(_GREETED_WITHIN_S) for one in callers))
        doomed = _jobs_of(scene.plain_name) if pids is None else pids
        lost_at = time.monotonic()
        for pid in doomed:
            os.kill(pid, fault)
        found.calls += len(calls)
        try:
            waits = (_heard_again(one, lost_at) for one in callers)
            found.after_s += [one for one in await asyncio.gather(*waits) if one is not None]
            await asyncio.sleep(max(0.0, lost_at + _ALONE_AFTER_S - time.monotonic()))
            for call in calls:
                found.duplicates += await scene.agents(call.room) > 1
        finally:
            for pid in doomed:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def _heard_again(caller: Caller, lost_at: float) -> float | None:
    """Return after how many seconds an agent was heard; None if there was none."""
    while time.monotonic() - lost_at < _PATIENCE_S and caller.log.ended_because is None:
        if (sound_at := caller.hearing.first_loud_after(lost_at)) is not None:
            return sound_at - lost_at
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


def _jobs_of(agent_name: str) -> list[int]:
    """Return the job processes of a plain worker: it does not tell which of them has the call."""
    own = psutil.Process().children(recursive=True)
    of_worker = [one for one in own if one.environ().get("LIVEKIT_AGENT_NAME") == agent_name]
    parents = {one.ppid() for one in of_worker}
    return [one.pid for one in of_worker if one.pid not in parents and one.ppid() in parents]


def table(losses: Mapping[tuple[str, str], Losses]) -> Table:
    """Return what became of them."""
    rows = [
        Row(
            name=f"{fault}: {kind}",
            figures={
                "p95 s": _percentile(found.after_s, found.calls),
                "median s": _median(found.after_s),
                "heard again": f"{len(found.after_s)} of {found.calls}",
                "two agents": found.duplicates,
            },
            aim=_AIMS.get((fault, kind)),
        )
        for (fault, kind), found in losses.items()
    ]
    return Table(
        part="recovery",
        question="how soon a user hears an agent again whose agent was lost",
        subject="its process, worker",
        rows=rows,
        notes=(
            f"nobody was waited for longer than {_PATIENCE_S:g} s; a call that was never heard "
            "again counts as slower than all others",
            f"two agents: rooms that had more than one {_ALONE_AFTER_S:g} s later",
            "shared: the agents of several users are lost with one process, each counts as a call",
        ),
    )


def _percentile(after_s: Sequence[float], calls: int) -> float | None:
    """Return the 95th percentile of all calls; None where that one was never heard again."""
    place = max(0, -(-95 * calls // 100) - 1)
    return round(sorted(after_s)[place], 2) if place < len(after_s) else None


def _median(after_s: Sequence[float]) -> float | None:
    return round(statistics.median(after_s), 2) if after_s else None


async def _run(options: argparse.Namespace, env: Mapping[str, str]) -> list[Table]:
    progress, losses = Progress("recovery", Terminal(env, sys.stderr)), Found()
    # A token server sends agents to workers of one name, so there is one scene after the other.
    for kind, kinds in ((PROCESS, [PROCESS, PLAIN]), (SHARED, [SHARED])):
        with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder:
            sharing = options.sharing if kind == SHARED else 1
            fleet = running_fleet(env, Path(folder), isolation=_ISOLATION[kind], sharing=sharing)
            async with fleet as scene:
                losses |= await measure(scene, kinds, options.rounds, progress)
    progress.done()
    return [table(dict(sorted(losses.items(), key=lambda item: item[0][0])))]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("recovery", __doc__)
    parser.add_argument("--rounds", type=few, default=10, metavar="N", help="of all (10)")
    parser.add_argument("--sharing", type=few, default=3, metavar="N", help="calls a process (3)")
    options = parser.parse_args(argv)
    return report(partial(_run, options), options.json)


if __name__ == "__main__":
    sys.exit(main())
