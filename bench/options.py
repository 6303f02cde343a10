"""What the benchmark is asked to do: the command line, with sizes for a full and a quick run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PARTS = ("memory", "leftovers", "throughput", "latency")
#: Each is a connection of the plain client library.
_MAX_CLIENTS = 900
_FULL: dict[str, object] = {
    "sessions": 10_000,
    "history_s": 5,
    "clients": (1, 8, 32, 64, 128),
    "rounds": 5,
    "seconds": 2.0,
    "small": 100,
    "large": 10_000,
    "samples": 3_000,
}
_QUICK: dict[str, object] = _FULL | {
    "sessions": 2_000,
    "history_s": 1,
    "clients": (1, 32),
    "rounds": 3,
    "seconds": 0.3,
    "large": 2_000,
    "samples": 200,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure, and how much of it."""

    parts: tuple[str, ...]
    is_durable: bool
    json: Path | None
    #: memory and leftovers
    sessions: int
    history_s: int
    wait_s: float
    #: throughput
    clients: tuple[int, ...]
    rounds: int
    seconds: float
    #: latency
    small: int
    large: int
    samples: int


def read_options(argv: Sequence[str] | None) -> Options:
    """Read the command line; leaves the program for `--help` and for what cannot be read."""
    given = vars(_parser().parse_args(argv))
    sizes = _QUICK if given.pop("quick") else _FULL
    chosen = {name: sizes[name] if given[name] is None else given[name] for name in sizes}
    merged = given | chosen
    if merged["wait_s"] is None:
        merged["wait_s"] = merged["history_s"] + 2
    return Options(**merged)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.store",
        description="Measure the store of the sessions on a Redis of its own. One table for each "
        "question; the exit status is 0 whether or not the aims are met.",
    )
    parser.add_argument(
        "--only", dest="parts", type=_parts, default=PARTS, metavar="PART,…", help=", ".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes: less than 30 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--aof",
        dest="is_durable",
        action="store_true",
        help="Redis writes everything to a file, with one fsync a second (default: nothing)",
    )
    _add_memory(parser.add_argument_group("memory and leftovers"))
    _add_throughput(parser.add_argument_group("throughput"))
    _add_latency(parser.add_argument_group("latency"))
    return parser


def _add_memory(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--sessions", type=_count, metavar="N", help="live sessions (10,000)")
    group.add_argument(
        "--history-s", type=_count, metavar="S", help="HISTORY_TTL_S of the store (5; quick: 1)"
    )
    group.add_argument(
        "--wait-s",
        type=_seconds,
        metavar="S",
        help="how long after the last end the leftovers are counted (history + 2); what is left "
        "five minutes after all have ended: --history-s 240 --wait-s 300",
    )


def _add_throughput(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--clients", type=_counts, metavar="N,…", help="how many at a time (1,8,32,64,128)"
    )
    group.add_argument("--rounds", type=_count, metavar="N", help="the median is told (5)")
    group.add_argument("--seconds", type=_seconds, metavar="S", help="length of a round (2)")


def _add_latency(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--small", type=_count, metavar="N", help="live, and as many queued (100)")
    group.add_argument(
        "--large", type=_count, metavar="N", help="the same, of the larger store (10,000)"
    )
    group.add_argument("--samples", type=_count, metavar="N", help="of each verb and size (3,000)")


def _parts(text: str) -> tuple[str, ...]:
    wanted = text.split(",")
    if unknown := sorted(set(wanted) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return tuple(part for part in PARTS if part in wanted)


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(dict.fromkeys(_count(word) for word in text.split(",")))
    if max(counts) > _MAX_CLIENTS:
        raise argparse.ArgumentTypeError(f"more than {_MAX_CLIENTS} clients")
    return counts


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 50_000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 50,000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds") from None
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86,400 s")
    return seconds
