"""What people see: one aligned line per step, a clock while a step takes long, a small table.

Standard library only, as `bootstrap` speaks through it too. Colours and the clock need a terminal;
without one there are plain lines, and a sign of life every `SIGN_OF_LIFE_S`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

NAME_WIDTH = 12
STATE_WIDTH = 10
SIGN_OF_LIFE_S = 20.0

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
STATE_COLOURS = {"ready": GREEN, "ok": GREEN, "failed": RED, "killed": YELLOW, "down": RED}


class Terminal:
    """Writes to one stream; knows whether a transient line is on display."""

    def __init__(self, env: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._is_dumb = env.get("TERM") == "dumb"
        self._wants_colours = "NO_COLOR" not in env
        self._shows_clock = False
        self._next_sign_at = time.monotonic() + SIGN_OF_LIFE_S

    @property
    def _is_live(self) -> bool:
        """Asked anew each time: a stack that detaches loses its terminal on the way."""
        return self._stream.isatty() and not self._is_dumb

    def line(self, text: str = "") -> None:
        """Write a line that stays."""
        self._clear_clock()
        self._write(text + "\n")

    def title(self, text: str) -> None:
        """Write a headline."""
        self.line(self.paint(text, BOLD))

    def step(self, name: str, state: str, seconds: float | None = None, note: str = "") -> None:
        """Write how a step ended."""
        took = f"{seconds:6.1f} s" if seconds is not None else " " * 8
        coloured = self.paint(f"{state:<{STATE_WIDTH}}", STATE_COLOURS.get(state, ""))
        self.line(f"  {name:<{NAME_WIDTH}} {coloured} {took}  {note}".rstrip())

    def clock(self, name: str, state: str, seconds: float, note: str = "") -> None:
        """Show that a step goes on; overwritten by whatever comes next."""
        text = f"  {name:<{NAME_WIDTH}} {state:<{STATE_WIDTH}} {seconds:6.1f} s  {note}".rstrip()
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[2K{self.paint(text[:width], DIM)}")
            self._shows_clock = True
        elif time.monotonic() >= self._next_sign_at:
            self._write(text + "\n")
            self._next_sign_at = time.monotonic() + SIGN_OF_LIFE_S

    def note(self, text: str) -> None:
        """Write something worth knowing."""
        self.line(f"  {self.paint(text, DIM)}")

    def warning(self, text: str, log_tail: str = "") -> None:
        """Write something that will hurt later, below the log lines that show it."""
        self._log_lines(log_tail)
        self.line(self.paint(f"  warning: {text}", YELLOW))

    def error(self, text: str, log_tail: str = "") -> None:
        """Write what went wrong, below the log lines that show it."""
        self._log_lines(log_tail)
        self.line(self.paint(f"error: {text}", RED))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write rows in columns; the first row is the header."""
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            text = f"  {'  '.join(cells)}".rstrip()
            self.line(self.paint(text, DIM) if number == 0 else text)

    def paint(self, text: str, colour: str) -> str:
        """Colour a text where colours are wanted."""
        return (
            f"\x1b[{colour}m{text}\x1b[0m"
            if colour and self._wants_colours and self._is_live
            else text
        )

    def _log_lines(self, log_tail: str) -> None:
        for line in log_tail.splitlines():
            self.line(self.paint(f"  | {line}", DIM))

    def _clear_clock(self) -> None:
        if self._shows_clock:
            self._write("\r\x1b[2K")
            self._shows_clock = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
