"""Versions as programs print them. Standard library only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ANSWER_WITHIN_S = 20.0

Version = tuple[int, ...]


def parse_version(text: str) -> Version | None:
    """Return the first dotted number in a text: `go version go1.26.8 linux/amd64` is (1, 26, 8)."""
    match = re.search(r"(?<![\d.])\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in match[0].split(".")) if match else None


def show_version(version: Version | None) -> str:
    """Write a version with dots."""
    return ".".join(str(part) for part in version) if version else "an unknown version"


def program_version(program: Path, argument: str = "--version") -> Version | None:
    """Ask a program for its version; None when it does not answer with one."""
    try:
        answer = subprocess.run(
            [str(program), argument],
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout + answer.stderr) if answer.returncode == 0 else None
