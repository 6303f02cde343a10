"""Counts agents that are taken for lost and are not, on a bad day: `python -m bench.soak --help`.

It starts its own Redis, livekit-server and token server, a scripted provider and two workers of
ours, whose leases have the defaults of the product. Users call over WebRTC, talk all the time, hang
up and call again. Every core is kept busy by a process that does nothing else, and all media go
through a link that loses one packet in a hundred. Nobody is killed: each agent that is sent in
place of another is one too many.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.progress import Progress
from bench.report import few, number, parser_of, report
from bench.soak_fleet import Fleet, soaked_fleet
from bench.soak_load import CORES, Strain, burning, strain
from bench.soak_users import OVER_WITHIN_S, PATIENCE_S, Tally, User
from bench.table import Aim, Row, Table
from devstack.terminal import Terminal
from tests.support.lossy_udp import Count

#: What our services log of an agent that they take for lost.
_LOST = ("a lease lapsed", "no agent came", "agent written off")
_NONE = Aim(limit=0)
_TELL_EVERY_S = 1.0
_SHOWN_INCIDENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done to it, and for how long."""

    minutes: float
    users: int
    burners: int
    #: The share of packets that are lost, in each direction.
    loss: float
    seed: int
    #: Where the logs are kept; None: they are not.
    logs: Path | None


async def measure(fleet: Fleet, plan: Plan, progress: Progress) -> Tally:
    """Let the users live for so long."""
    tally = Tally()
    ends_at = tally.began_at + plan.minutes * 60
    teller = asyncio.create_task(_tell(fleet, plan, tally, progress))
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(plan.users):
                dice = random.Random(f"{plan.seed} {number}")  # noqa: S311 - no secret
                tasks.create_task(User(fleet, tally, dice).live(ends_at))
    finally:
        teller.cancel()
        await asyncio.wait({teller})
    return tally


async def _tell(fleet: Fleet, plan: Plan, tally: Tally, progress: Progress) -> None:
    while True:
        minutes, link = (time.monotonic() - tally.began_at) / 60, fleet.link
        progress.tell(
            f"{minutes:.1f} of {plan.minutes:g} min, {tally.in_calls} in calls, "
            f"{tally.sessions} sessions, {len(tally.answered_s)} of {tally.asked} answered, "
            f"{tally.redispatches} agents replaced, {len(tally.incidents)} incidents, "
            f"{link.to_server.dropped + link.to_clients.dropped:,} packets lost"
        )
        await asyncio.sleep(_TELL_EVERY_S)


def tables(fleet: Fleet, plan: Plan, tally: Tally, load: Strain) -> list[Table]:
    """Return what went wrong, what went on, and how hard it was made."""
    return [_wrong(fleet, plan, tally), _calls(tally), _burden(fleet, plan, load)]


def _wrong(fleet: Fleet, plan: Plan, tally: Tally) -> Table:
    logged = "".join(log.read_text(encoding="utf-8") for log in fleet.logs)
    counts = {
        "false re-dispatches: epochs above 1": tally.redispatches,
        **{f'log lines "{line}"': logged.count(line) for line in _LOST},
        "sessions that failed": tally.failed,
        f"sessions not over {OVER_WITHIN_S:g} s after their stop": tally.not_over,
        "users thrown out": tally.thrown_out,
        "users who were not greeted": tally.not_greeted,
        "starts that were refused": tally.refused,
    }
    hidden = len(tally.incidents) - _SHOWN_INCIDENTS
    return Table(
        part="soak",
        question=f"what went wrong in {plan.minutes:g} minutes in which nobody was killed",
        subject="what",
        rows=[Row(name=name, figures={"times": n}, aim=_NONE) for name, n in counts.items()],
        notes=[
            *tally.incidents[:_SHOWN_INCIDENTS],
            *([f"and {hidden} incidents more"] if hidden > 0 else []),
        ],
    )


def _calls(tally: Tally) -> Table:
    answered, asked = len(tally.answered_s), tally.asked
    figures: dict[str, float | None] = {
        "sessions": tally.sessions,
        "minutes of calls": round(tally.call_s / 60, 1),
        "s from the start to the greeting: median": _median(tally.greeted_s),
        "s from the start to the greeting: longest": _rounded(max(tally.greeted_s, default=None)),
        "questions asked": asked,
        "questions answered": answered,
        "answered, percent": round(100 * answered / asked, 1) if asked else None,
        "s to the answer: median": _median(tally.answered_s),
        "s to the answer: longest": _rounded(max(tally.answered_s, default=None)),
        "s without a sound after a question: longest": _rounded(tally.longest_s),
    }
    return Table(
        part="calls",
        question="what users did, and how they were served",
        rows=[Row(name=name, figures={"figure": figure}) for name, figure in figures.items()],
        notes=(
            f"answered: the words that were to come, with sound, which began within {PATIENCE_S:g} "
            "s of the end of the question",
        ),
    )


def _burden(fleet: Fleet, plan: Plan, load: Strain) -> Table:
    link = fleet.link
    figures: dict[str, float | None] = {
        "CPU busy, percent of all cores: mean": load.cpu_mean,
        "CPU busy, percent of all cores: least of any 5 s": min(load.cpu_percent, default=None),
        **_link_figures("to the server", link.to_server),
        **_link_figures("to users and agents", link.to_clients),
        "ms that the link was late: p99": load.late_p99_ms,
        "ms that the link was late: longest": _rounded(max(load.late_ms, default=None)),
    }
    return Table(
        part="burden",
        question=f"{plan.users} users, {plan.burners} busy processes on {CORES} cores, "
        f"{plan.loss:.1%} of packets to be lost (seed {plan.seed})",
        rows=[Row(name=name, figures={"figure": figure}) for name, figure in figures.items()],
        notes=("all packets between LiveKit and users or agents go through the link",),
    )


def _link_figures(where: str, count: Count) -> dict[str, float | None]:
    return {
        f"packets {where}": count.packets,
        f"packets {where}: lost": count.dropped,
        f"packets {where}: lost, percent": round(100 * count.share, 2),
        f"packets {where}: no room for them": count.stuck,
    }


def _median(values: Sequence[float]) -> float | None:
    return _rounded(statistics.median(values)) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


async def _run(plan: Plan, env: Mapping[str, str]) -> list[Table]:
    with ExitStack() as stack:
        temporary = partial(tempfile.TemporaryDirectory, prefix="bench-soak-")
        folder = plan.logs.resolve() if plan.logs else Path(stack.enter_context(temporary()))
        progress = Progress("soak", Terminal(env, sys.stderr))
        progress.tell("starting")
        async with soaked_fleet(env, folder, loss=plan.loss, seed=plan.seed) as fleet:
            async with burning(plan.burners, env, folder), strain() as load:
                tally = await measure(fleet, plan, progress)
            progress.done()
            return tables(fleet, plan, tally, load)


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("soak", __doc__)
    parser.add_argument("--minutes", type=_minutes, default=30.0, metavar="M", help="how long (30)")
    parser.add_argument("--users", type=few, default=4, metavar="N", help="at the same time (4)")
    parser.add_argument(
        "--burners",
        type=_burners,
        default=CORES,
        metavar="N",
        help="busy processes; 0: none (one for each core)",
    )
    parser.add_argument(
        "--loss", type=_percent, default=0.01, metavar="P", help="percent of packets (1)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the dice (1)")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the servers' logs there")
    return parser


def _minutes(text: str) -> float:
    return number(text, 0.5, 1440, "number of minutes")


def _percent(text: str) -> float:
    return number(text, 0, 100, "percentage") / 100


def _burners(text: str) -> int:
    if not text.isdecimal() or int(text) > 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to 1,000")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    options = vars(_parser().parse_args(argv))
    json_file = options.pop("json")
    return report(partial(_run, Plan(**options)), json_file)


if __name__ == "__main__":
    sys.exit(main())
