"""Logs of programs: one file each, and the one before. Standard library only."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

TAIL_LINES = 20
MAX_TAIL_BYTES = 64 * 1024


def rotate(log: Path) -> None:
    """Make room for a new log; the one that is there becomes `<log>.1`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a file, or nothing when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - MAX_TAIL_BYTES))
            return last_lines(file.read().decode(errors="replace"), lines)
    except FileNotFoundError:
        return ""


def last_lines(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.splitlines()[-lines:])
