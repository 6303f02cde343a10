"""The clocks of processes of ours, each of which can be set while it runs.

By libfaketime (LD_PRELOAD). Time that goes by is left alone, as by one who sets a clock. What is
not linked with the C library has no such clock: LiveKit is a Go program, and Redis would not start.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path

_LIBRARY = "libfaketime.so.1"


class Clocks:
    """A file for each process, by its name, from which it reads how far its clock is off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = _find()

    def variables(self, name: str) -> Mapping[str, str]:
        """Return what a process has to be told; its clock is right."""
        self.set(name, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, name: str, ahead_s: int) -> None:
        """Set a clock; it is behind where `ahead_s` is negative."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # At once: half a line would be another time.
        written = self._file(name).with_suffix(".new")
        written.write_text(f"{ahead_s:+d}\n")
        os.replace(written, self._file(name))

    def _file(self, name: str) -> Path:
        return self._folder / name


def _find() -> Path:
    """Return the library. Raises PackageNotFoundError, StopIteration where there is none."""
    files = importlib.metadata.files("libfaketime") or []
    return Path(str(next(one for one in files if one.name == _LIBRARY).locate())).resolve()
