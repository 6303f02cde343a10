"""What is to be done in the drill, for how long, and under how much load."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import few, number, parser_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how much."""

    #: Those who hold a call through the whole drill.
    users: int
    every_s: float
    #: What a worker is told: how long to drain, and how long before its end to hand over.
    drain_s: float
    handover_s: float
    #: How long a version that cannot serve is waited for.
    patience_s: float
    #: How long nothing is done, before the first rollout and after the last.
    calm_s: float
    is_careless: bool
    logs: Path | None


_FULL = {"drain_s": 45.0, "handover_s": 20.0, "patience_s": 20.0, "calm_s": 10.0}
#: The agents' last sentence may take 5 s, and the next agent has to come.
_QUICK = {"drain_s": 20.0, "handover_s": 17.0, "patience_s": 6.0, "calm_s": 3.0}


def read_plan(argv: Sequence[str] | None, text: str | None) -> tuple[Plan, Path | None]:
    """Read the command line: what to do, and where figures go. Leaves the program for `--help`."""
    given = vars(_parser(text).parse_args(argv))
    json_file, sizes = given.pop("json"), _QUICK if given.pop("quick") else _FULL
    if given["drain_s"] is None:
        del given["drain_s"]
    return Plan(**sizes | given), json_file


def _parser(text: str | None) -> argparse.ArgumentParser:
    parser = parser_of("deploy_drill", text)
    parser.add_argument("--quick", action="store_true", help="shorter waits: about 70 s, not 3 min")
    parser.add_argument(
        "--careless",
        dest="is_careless",
        action="store_true",
        help="stop the old ones first, within 10 s, then start the new ones: what to expect then",
    )
    parser.add_argument("--users", type=few, default=3, metavar="N", help="who talk (3)")
    parser.add_argument(
        "--every", dest="every_s", type=_every, default=1.0, metavar="S", help="a start (1)"
    )
    parser.add_argument(
        "--drain-s",
        type=_drain,
        metavar="S",
        help="DRAIN_TIMEOUT_S of the workers (45; quick: 20)",
    )
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the servers' logs there")
    return parser


def _drain(text: str) -> float:
    if not text.isdecimal() or not 25 <= int(text) <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of seconds from 25 to 3,600")
    return float(text)


def _every(text: str) -> float:
    return number(text, 0.2, 60, "number of seconds")
