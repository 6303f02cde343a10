"""What benchmarks do around their measurements: say where they ran, show the tables, write JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.table import Table
from devstack.errors import DevstackError
from devstack.settings import load_environment
from devstack.terminal import Terminal

Measure = Callable[[Mapping[str, str]], Coroutine[Any, Any, Sequence[Table]]]


def parser_of(module: str, text: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows where the figures are to be written, too."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{module}", description=text)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


def few(text: str) -> int:
    """Read a number from 1 to 50. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 50")
    return int(text)


def some_of(known: Sequence[str], text: str) -> list[str]:
    """Read names with commas between them. Raises ArgumentTypeError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
    if not names:
        raise argparse.ArgumentTypeError(f"name some of {', '.join(known)}")
    return names


def number(text: str, least: float, most: float, what: str) -> float:
    """Read a number between two. Raises ArgumentTypeError, which says what it should be."""
    try:
        found = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no {what}") from None
    if not least <= found <= most:
        raise argparse.ArgumentTypeError(f"{text} is no {what} from {least:g} to {most:g}")
    return found


def report(measure: Measure, json_file: Path | None, *, is_drill: bool = False) -> int:
    """Measure and tell; return 0 when it ran through, whatever it found.

    A drill has failed where an aim is missed: then it is 1.
    """
    env = load_environment()
    terminal = Terminal(env)
    terminal.line(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    try:
        tables = asyncio.run(measure(env))
    except (DevstackError, OSError, TimeoutError) as error:
        Terminal(env, sys.stderr).error(str(error), getattr(error, "log_tail", ""))
        return 1
    for table in tables:
        table.show(terminal)
    if json_file is not None:
        text = json.dumps([table.as_json() for table in tables], indent=2)
        json_file.write_text(text + "\n", encoding="utf-8")
    is_missed = any(row.verdict == "missed" for table in tables for row in table.rows)
    return 1 if is_drill and is_missed else 0
