"""The clocks of processes of ours, each of which can be set while it runs.

By libfaketime (LD_PRELOAD). Time that goes by is left alone, as by one who sets a clock. What is
not linked with the C library has no such clock: LiveKit is a Go program, and Redis would not start.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_LIBRARY = "libfaketime.so.1"


class Clocks:
    """A file for each process, by its name, from which it reads how far its clock is off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = _find()

    def variables(self, name: str) -> Mapping[str, str]:
        """Return what a process has to be told; its clock is right."""
        self._set(name, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # Otherwise waits on conditions return at once, and WebRTC's threads spin.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    @contextmanager
    def ahead(self, names: Sequence[str], ahead_s: int) -> Iterator[None]:
        """Set these clocks, behind where `ahead_s` is negative; right again at the end."""
        try:
            for name in names:
                self._set(name, ahead_s)
            yield
        finally:
            for name in names:
                self._set(name, 0)

    def _set(self, name: str, ahead_s: int) -> None:
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
