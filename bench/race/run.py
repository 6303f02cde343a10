"""What `python -m bench.race` does: run the parts that were asked for, one after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.progress import Progress
from bench.race.scene import Scene, racecourse
from bench.race.sides import DEFAULT, NAMES, Side, sides
from bench.race.start import measure_start, start_tables
from bench.report import few, parser_of, report
from bench.table import Table
from devstack.terminal import Terminal

PARTS = ("start",)


async def _part(
    part: str, scene: Scene, racing: Sequence[Side], options: argparse.Namespace, progress: Progress
) -> list[Table]:
    return start_tables(await measure_start(scene, racing, options.rounds, progress))


async def _run(options: argparse.Namespace, env: Mapping[str, str]) -> list[Table]:
    terminal = Terminal(env, sys.stderr)
    racing = sides(options.sides, env, terminal)
    tables: list[Table] = []
    for part in options.parts:
        with tempfile.TemporaryDirectory(prefix="bench-race-") as folder:
            async with racecourse(env, Path(folder)) as scene:
                progress = Progress(f"race: {part}", terminal)
                tables += await _part(part, scene, racing, options, progress)
                progress.done()
    return tables


def _some_of(known: Sequence[str], text: str) -> list[str]:
    """Read names with commas between them. Raises ArgumentTypeError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
    if not names:
        raise argparse.ArgumentTypeError(f"name some of {', '.join(known)}")
    return names


def main(argv: Sequence[str] | None = None, *, text: str | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("race", text)
    parser.add_argument(
        "--parts",
        type=partial(_some_of, PARTS),
        default=list(PARTS),
        metavar="A,B",
        help=f"some of {', '.join(PARTS)} (all)",
    )
    parser.add_argument(
        "--sides",
        type=partial(_some_of, NAMES),
        default=list(DEFAULT),
        metavar="A,B",
        help=f"some of {', '.join(NAMES)} ({', '.join(DEFAULT)})",
    )
    parser.add_argument("--rounds", type=few, default=7, metavar="N", help="of start (7)")
    options = parser.parse_args(argv)
    return report(partial(_run, options), options.json)
