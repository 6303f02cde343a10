"""Time as a test wants it."""

from __future__ import annotations


class Clock:
    """Stands where a monotonic clock would; `now` in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
