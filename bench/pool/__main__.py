"""Plays a day of arrivals on pools of warm processes: `python -m bench.pool --help`.

Nothing is started: it is a simulation, in which the code that decides on the pool's size is the
supervisor's own. It takes half a minute. `--trace FILE` adds a day of yours: times as
9:41:07, one a line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.pool.simulation import Day, Fixed, Pool, Sizing, Tuned
from bench.pool.traces import TRACES, Trace, recorded
from bench.progress import Progress
from bench.report import few, parser_of, report
from bench.table import Aim, Row, Table
from devstack.terminal import Terminal

_HITS = 95.0
#: Of the idle process-hours of the best fixed size.
_COST = 0.5
_MOST_FIXED = 30
#: What a day of the traces was that the formula was chosen on; these here are others.
_FIRST_SEED = 11

Makers = Mapping[str, Callable[[int], Trace]]


class Plan:
    """The days to play, and how long a process takes to start."""

    def __init__(self, makers: Makers, days: int, start_s: float, at_once: int) -> None:
        seeds = range(_FIRST_SEED, _FIRST_SEED + days)
        self.traces = {name: [make(seed) for seed in seeds] for name, make in makers.items()}
        self.start_s = start_s
        self.at_once = at_once

    def play(self, make: Callable[[], Sizing], name: str) -> list[Day]:
        """Play each day of a trace with a new pool."""
        return [
            Pool(make(), start_s=self.start_s, at_once=self.at_once).run(trace)
            for trace in self.traces[name]
        ]


def hits_percent(days: Sequence[Day]) -> float:
    """Return the share of all starts that found a warm process."""
    return 100 * sum(day.hits for day in days) / sum(day.starts for day in days)


def idle_hours(days: Sequence[Day]) -> float:
    """Return the idle process-hours of a day."""
    return sum(day.idle_process_hours for day in days) / len(days)


def best_fixed(plan: Plan) -> int:
    """Return the smallest size that serves 95 % warm in each trace, as only hindsight knows."""
    for size in range(1, _MOST_FIXED):
        if all(
            hits_percent(plan.play(partial(Fixed, size), name)) >= _HITS for name in plan.traces
        ):
            return size
    return _MOST_FIXED


def tables(plan: Plan, progress: Progress) -> list[Table]:
    """Play them all."""
    progress.tell("looking for the best fixed size")
    best = best_fixed(plan)
    sizings: dict[str, Callable[[], Sizing]] = {
        f"fixed {size}": partial(Fixed, size) for size in sorted({3, 10, best})
    }
    sizings["tuned"] = Tuned
    found: dict[str, dict[str, list[Day]]] = {}
    for label, make in sizings.items():
        progress.tell(f"playing: {label}")
        found[label] = {name: plan.play(make, name) for name in plan.traces}
    progress.done()
    return [_by_trace(found, plan), _in_all(found, best)]


def _by_trace(found: Mapping[str, Mapping[str, list[Day]]], plan: Plan) -> Table:
    rows = []
    for name, traces in plan.traces.items():
        for label, by_trace in found.items():
            days = by_trace[name]
            aim = Aim(limit=_HITS, is_minimum=True) if label == "tuned" else None
            figures = {
                "warm %": round(hits_percent(days), 1),
                "idle process-hours": round(idle_hours(days), 1),
                "largest": max(day.largest for day in days),
                "starts a day": round(sum(map(len, traces)) / len(traces)),
            }
            rows.append(Row(name=f"{name}: {label}", figures=figures, aim=aim))
    return Table(
        part="pool",
        question="how many users find a warm process, and what the others wait idle for",
        subject="trace, size",
        rows=rows,
        notes=(
            f"a start of a process takes {plan.start_s:g} s, {plan.at_once} at a time; "
            f"{len(next(iter(plan.traces.values())))} days of each, by other seeds",
            "idle process-hours: of a day of 24 h; a process counts until a call takes it",
        ),
    )


def _in_all(found: Mapping[str, Mapping[str, list[Day]]], best: int) -> Table:
    hours = {
        label: sum(idle_hours(days) for days in by_trace.values())
        for label, by_trace in found.items()
    }
    rows = []
    for label, by_trace in found.items():
        aim = Aim(limit=_COST) if label == "tuned" else None
        figures = {
            "of the best fixed": round(hours[label] / hours[f"fixed {best}"], 2),
            "idle process-hours": round(hours[label]),
            "warm %, least of all traces": round(min(map(hits_percent, by_trace.values())), 1),
        }
        rows.append(Row(name=label, figures=figures, aim=aim))
    return Table(
        part="pool, all traces",
        question="what each size costs where it has to serve all of them",
        subject="size",
        rows=rows,
        notes=(_what_is_best(best),),
    )


def _what_is_best(best: int) -> str:
    if best == _MOST_FIXED:
        return f"best fixed: none up to {best} has {_HITS:g} % in each trace"
    return f"best fixed: {best}, the smallest with {_HITS:g} % in each trace, by hindsight"


async def _run(options: argparse.Namespace, env: Mapping[str, str]) -> list[Table]:
    makers = dict(TRACES)
    if options.trace is not None:
        makers[options.trace.name] = recorded(options.trace)
    plan = Plan(makers, options.days, options.start_s, options.at_once)
    return tables(plan, Progress("pool", Terminal(env, sys.stderr)))


def _trace(text: str) -> Path:
    """Read the name of a file with a trace. Raises ArgumentTypeError."""
    try:
        recorded(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None
    return Path(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulation; return 0 when it ran through, whatever it found."""
    parser = parser_of("pool", __doc__)
    parser.add_argument("--days", type=few, default=3, metavar="N", help="of each trace (3)")
    parser.add_argument("--trace", type=_trace, metavar="FILE", help="a day that you recorded")
    parser.add_argument(
        "--start-s", type=float, default=1.0, metavar="S", help="a start of a process (1.0)"
    )
    parser.add_argument(
        "--at-once", type=few, default=2, metavar="N", help="so many start at a time (2)"
    )
    options = parser.parse_args(argv)
    return report(partial(_run, options), options.json)


if __name__ == "__main__":
    sys.exit(main())
