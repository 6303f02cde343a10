"""Runs the benchmarks one after the other: `make bench` a short form, `make bench-full` all.

Each is a program of its own (`make bench ARGS=race`), which can be run alone with other options.
What it found is shown, and kept as JSON in the folder of --out; `--resume` leaves out what is there
already. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from devstack.settings import REPO, load_environment
from devstack.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Item:
    """One benchmark, as it is run here."""

    name: str
    arguments: tuple[str, ...] = ()
    module: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """What runs it."""
        return (sys.executable, "-m", f"bench.{self.module or self.name}", *self.arguments)


#: Less than six minutes on two cores: one round of what most people ask about, OpenRTC left out,
#: which is installed when it races for the first time.
SHORT = (
    Item("store", ("--quick",)),
    Item(
        "race",
        ("--parts", "start,burst", "--sides", "plain,process,shared", "--rounds", "1"),
    ),
)
#: Two hours and more. The longest ones last, so that the others are there soon.
FULL = (
    Item("store"),
    Item("starts"),
    Item("pool"),
    Item("warm"),
    Item("burst"),
    Item("assignment"),
    Item("recovery"),
    Item("race-start", ("--parts", "start"), "race"),
    Item("race-burst", ("--parts", "burst"), "race"),
    Item("race-rest", ("--parts", "rest"), "race"),
    Item("race-talk", ("--parts", "talk"), "race"),
    Item("race-hold", ("--parts", "hold"), "race"),
    Item("race-mixed", ("--parts", "mixed"), "race"),
    Item("capacity"),
    Item("degradation"),
    Item("worker_memory"),
    Item("pages"),
    Item("soak", ("--minutes", "30")),
)
OUT = REPO / ".run" / "bench"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESUME = "--resume goes on with what has no figures yet"


def run_items(items: Sequence[Item], out: Path, terminal: Terminal, *, is_resumed: bool) -> int:
    """Run them; return 0 when all ran through, whatever they found."""
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    for number, item in enumerate(items, 1):
        file = out / f"{item.name}.json"
        if is_resumed and file.exists():
            terminal.line(f"{item.name}: was there already ({file})")
            continue
        terminal.title(f"{number} of {len(items)}: {' '.join(item.argv[1:])}")
        # What is there after it is of this run.
        file.unlink(missing_ok=True)
        began = time.monotonic()
        status = run_until_done([*item.argv, "--json", str(file)])
        took_s = time.monotonic() - began
        terminal.line(f"{item.name}: {'done' if status == 0 else 'FAILED'}, {took_s:.0f} s")
        if status < 0:
            terminal.error(f"stopped; {RESUME}", "")
            return 1
        if status != 0:
            failed.append(item.name)
    terminal.line(f"figures: {out}")
    if failed:
        terminal.error(f"did not run through: {', '.join(failed)}; {RESUME}", "")
    return 1 if failed else 0


def run_until_done(argv: Sequence[str]) -> int:
    """Run a program; return its status, or minus the signal that stopped it.

    A signal is passed on and the program waited for: it has servers that it must stop.
    """
    stopped_by: list[int] = []
    process = subprocess.Popen(argv, cwd=REPO, start_new_session=True)

    def stop(number: int, _: FrameType | None) -> None:
        stopped_by.append(number)
        process.send_signal(number)

    usual = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        status = process.wait()
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    return -stopped_by[0] if stopped_by else abs(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the short form, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of them, which takes hours")
    parser.add_argument("--resume", action="store_true", help="only what has no figures yet")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="(.run/bench)")
    options = parser.parse_args(argv)
    form = "full" if options.full else "short"
    items = FULL if options.full else SHORT
    terminal = Terminal(load_environment())
    return run_items(items, options.out / form, terminal, is_resumed=options.resume)


if __name__ == "__main__":
    sys.exit(main())
