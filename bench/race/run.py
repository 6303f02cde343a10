"""What `python -m bench.race` does: run the parts that were asked for, one after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.progress import Progress
from bench.race.burst import burst_table, measure_new, measure_warm
from bench.race.hold import hold_tables, measure_hold
from bench.race.mixed import Plan, measure_mixed
from bench.race.mixed_tables import mixed_tables
from bench.race.rest import measure_rest, rest_tables
from bench.race.scene import Scene, racecourse
from bench.race.sides import DEFAULT, NAMES, THREADS, Side, sides
from bench.race.speech import spoken
from bench.race.start import measure_start, start_tables
from bench.race.talk import measure_talk, talk_tables
from bench.report import few, number, parser_of, report, some_of
from bench.table import Table
from devstack.terminal import Terminal
from worker.job.native import keep_native_log

Part = Callable[[Scene, Sequence[Side], argparse.Namespace, Progress], Awaitable[list[Table]]]
#: How often each worker has its turn in a part, unless it is said otherwise.
ROUNDS = {"start": 7, "burst": 5, "rest": 3, "talk": 3}


async def _start(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    rounds = options.rounds or ROUNDS["start"]
    return start_tables(await measure_start(scene, racing, rounds, progress))


async def _rest(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    rounds, sessions = options.rounds or ROUNDS["rest"], options.resting
    found = await measure_rest(scene, racing, rounds=rounds, sessions=sessions, progress=progress)
    return rest_tables(found)


async def _burst(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    rounds = options.rounds or ROUNDS["burst"]
    warm = await measure_warm(scene, racing, rounds, progress)
    new = await measure_new(scene, racing, rounds, progress)
    return [burst_table(warm, "warm"), burst_table(new, "new")]


async def _talk(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    rounds, sessions = options.rounds or ROUNDS["talk"], options.talking
    sentences = await spoken(scene.neighbours.variables, scene.folder)
    found = await measure_talk(
        scene, racing, sentences, rounds=rounds, sessions=sessions, progress=progress
    )
    return talk_tables(found)


async def _hold(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    return hold_tables(await measure_hold(scene, racing, users=options.holding, progress=progress))


async def _mixed(
    scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    plan = Plan(
        minutes=options.minutes,
        held=options.held,
        talking=min(options.talking_held, options.held),
        every_s=options.every,
    )
    sentences = await spoken(scene.neighbours.variables, scene.folder)
    return mixed_tables(await measure_mixed(scene, racing, sentences, plan, progress), plan)


PARTS: Mapping[str, Part] = {
    "start": _start,
    "burst": _burst,
    "rest": _rest,
    "talk": _talk,
    "hold": _hold,
    "mixed": _mixed,
}


def mute_users() -> None:
    """Keep the WebRTC library of this process, where the users are, from telling what it does.

    They would pay for its log, and all that is heard of an agent would be heard later, the same for
    all of them. What workers get of the environment is to be read before.
    """
    keep_native_log("off")


async def _run(options: argparse.Namespace, env: Mapping[str, str]) -> list[Table]:
    mute_users()
    terminal = Terminal(env, sys.stderr)
    racing = sides(options.sides, env, terminal)
    tables: list[Table] = []
    for part in options.parts:
        with tempfile.TemporaryDirectory(prefix="bench-race-") as folder:
            async with racecourse(env, Path(folder)) as scene:
                progress = Progress(f"race: {part}", terminal)
                tables += await PARTS[part](scene, racing, options, progress)
                progress.done()
    return tables


def _many(text: str) -> int:
    """Read a number from 1 to 1000. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 1000")
    return int(text)


def make_parser(text: str | None = None) -> argparse.ArgumentParser:
    """Return what reads the options."""
    parser = parser_of("race", text)
    parser.add_argument(
        "--parts",
        type=partial(some_of, tuple(PARTS)),
        default=list(PARTS),
        metavar="A,B",
        help=f"some of {', '.join(PARTS)} (all)",
    )
    parser.add_argument(
        "--sides",
        type=partial(some_of, NAMES),
        default=list(DEFAULT),
        metavar="A,B",
        help=f"some of {', '.join(NAMES)} (all but {THREADS})",
    )
    shown = ", ".join(f"{part} {rounds}" for part, rounds in ROUNDS.items())
    parser.add_argument("--rounds", type=few, metavar="N", help=f"of all workers ({shown})")
    parser.add_argument("--resting", type=few, default=6, metavar="N", help="users of rest (6)")
    parser.add_argument("--holding", type=_many, default=100, metavar="N", help="of hold (100)")
    parser.add_argument("--talking", type=few, default=3, metavar="N", help="users of talk (3)")
    _add_mixed(parser.add_argument_group("mixed"))
    return parser


def _add_mixed(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--minutes", type=_minutes, default=5.0, metavar="M", help="how long (5)")
    group.add_argument("--held", type=few, default=20, metavar="N", help="users who stay (20)")
    group.add_argument(
        "--talking-held", type=few, default=5, metavar="N", help="of them talk all the time (5)"
    )
    group.add_argument(
        "--every", type=_seconds, default=1.0, metavar="S", help="a new user comes so often (1)"
    )


def _minutes(text: str) -> float:
    return number(text, 0.1, 1440, "number of minutes")


def _seconds(text: str) -> float:
    return number(text, 0.05, 60, "number of seconds")


def main(argv: Sequence[str] | None = None, *, text: str | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    options = make_parser(text).parse_args(argv)
    return report(partial(_run, options), options.json)
