"""Draws what the race found: `python -m bench.race.plot FILE...`.

The files are those of `python -m bench.race --json FILE`, of all parts or of some; `make
bench-full` writes them into .run/bench/full.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.race.plot.drawing import draw
from bench.race.plot.panels import NoFigures, read_panels
from devstack.settings import REPO, load_environment
from devstack.terminal import Terminal

OUT = REPO / "docs" / "race.svg"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the files that are named; return 0 when the drawing is written."""
    parser = argparse.ArgumentParser(prog="python -m bench.race.plot", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="figures of the race")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="(docs/race.svg)")
    options = parser.parse_args(argv)
    terminal = Terminal(load_environment(), sys.stderr)
    try:
        panels, notes = read_panels(options.files)
        options.out.write_text(draw(panels), encoding="utf-8")
    except NoFigures as error:
        terminal.error(str(error))
        return 1
    except OSError as error:
        terminal.error(f"{options.out}: cannot be written: {error.strerror}; name another by --out")
        return 1
    for note in notes:
        terminal.note(note)
    terminal.line(f"{len(panels)} panels: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
