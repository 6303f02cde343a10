"""Says what a fleet takes for so many sessions, and checks that: `python -m bench.capacity --help`.

Without --size it runs one livekit-server with a worker, and two joined by a Redis with a worker at
each, fills both with users, and tells how far the formula is off that the first one fed. With
--size nothing runs: it tells the cores, machines, memory and bandwidth for so many sessions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.capacity.check import check_table, fed_table, measured_table, starts_table
from bench.capacity.fit import fitted
from bench.capacity.fleet import running_fleet
from bench.capacity.measure import Run, measure_run
from bench.capacity.model import SHARED, Load, Machine
from bench.capacity.sizing import sizing_tables
from bench.capacity.store_cost import measure_store, store_table
from bench.progress import Progress
from bench.race.run import mute_users
from bench.race.sides import SHARED as SHARED_SIDE
from bench.race.sides import sides
from bench.race.speech import spoken
from bench.report import few, parser_of, report, some_of
from bench.table import Table
from devstack.errors import DevstackError
from devstack.terminal import Terminal

PARTS = ("store", "fleet")
_NODES = (1, 2)


async def _measure(options: argparse.Namespace, env: Mapping[str, str]) -> list[Table]:
    progress = Progress("capacity", Terminal(env, sys.stderr))
    tables: list[Table] = []
    if "store" in options.parts:
        found = await measure_store(env, options.stored, progress)
        tables.append(store_table(found, options.stored))
    if "fleet" in options.parts:
        tables += await _measure_fleets(options, env, progress)
    progress.done()
    return tables


async def _measure_fleets(
    options: argparse.Namespace, env: Mapping[str, str], progress: Progress
) -> list[Table]:
    mute_users()
    (side,) = sides([SHARED_SIDE], env, Terminal(env, sys.stderr))
    sizes = sorted({max(1, options.sessions // 2), options.sessions})
    runs: list[Run] = []
    for nodes in _NODES:
        with tempfile.TemporaryDirectory(prefix="bench-capacity-") as folder:
            sentences = await spoken(env, Path(folder))
            async with running_fleet(env, Path(folder), side, nodes=nodes) as fleet:
                runs.append(
                    await measure_run(
                        fleet,
                        sizes=sizes,
                        talkers=options.talkers,
                        sentences=sentences,
                        progress=progress,
                    )
                )
    try:
        known = fitted(runs[0])
    except ValueError as error:
        raise DevstackError(str(error)) from None
    return [
        measured_table(runs),
        starts_table(runs),
        check_table(runs, known),
        fed_table(known, SHARED),
    ]


async def _size(options: argparse.Namespace, _: Mapping[str, str]) -> list[Table]:
    load = Load(
        sessions=options.size,
        minutes_per_call=options.minutes_per_call,
        talking=options.talking,
        silent=options.silent,
    )
    machine = Machine(cores=options.cores, memory_mb=1024 * options.memory_gb, fill=options.fill)
    try:
        return sizing_tables(load, machine)
    except ValueError as error:
        raise DevstackError(str(error)) from None


def _share(text: str) -> float:
    """Read a number from 0 to 1. Raises ArgumentTypeError."""
    return _between(text, 0.0, 1.0)


def _size_of(text: str) -> float:
    """Read a number of some size. Raises ArgumentTypeError."""
    return _between(text, 0.01, 10_000_000.0)


def _between(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is no number from {least:g} to {most:,.0f}")
    return value


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the options."""
    parser = parser_of("capacity", __doc__)
    add = parser.add_argument
    add(
        "--parts",
        type=partial(some_of, PARTS),
        default=list(PARTS),
        metavar="A,B",
        help=f"some of {', '.join(PARTS)} (all)",
    )
    add("--sessions", type=few, default=24, metavar="N", help="users who come and stay (24)")
    add("--talkers", type=few, default=4, metavar="N", help="more of them, who talk (4)")
    add("--stored", type=int, default=5_000, metavar="N", help="sessions in the store (5000)")
    sizing = parser.add_argument_group("sizing, without a measurement")
    add = sizing.add_argument
    add("--size", type=_size_of, metavar="N", help="sessions at the same time")
    add("--minutes-per-call", type=_size_of, default=5.0, metavar="M", help="on average (5)")
    add("--talking", type=_share, default=0.5, metavar="S", help="share in which they talk (0.5)")
    add("--silent", type=_share, default=0.0, metavar="S", help="share without microphone (0)")
    add("--cores", type=few, default=8, metavar="N", help="of each machine (8)")
    add("--memory-gb", type=_size_of, default=16.0, metavar="G", help="of each machine (16)")
    add("--fill", type=_share, default=0.7, metavar="S", help="how full it may be (0.7)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or only tell a size; return 0 when it ran through, whatever it found."""
    parser = make_parser()
    options = parser.parse_args(argv)
    if options.talking + options.silent > 1:
        parser.error("--talking and --silent are shares of the same calls: at most 1 together")
    measure = _measure if options.size is None else _size
    return report(partial(measure, options), options.json)


if __name__ == "__main__":
    sys.exit(main())
