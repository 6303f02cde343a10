"""What a caller hears: everything, with the times at which it arrived."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from devstack.talk.audio import LOUD, Samples, Sound, loudness

RATE = 24_000


@dataclass(frozen=True)
class Piece:
    """Some 10 ms of sound."""

    at: float
    samples: Samples
    is_loud: bool


class Hearing:
    """A growing record of one voice at 24 kHz. Times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self.first_loud_at: float | None = None
        self.last_loud_at: float | None = None

    def add(self, pcm: bytes) -> None:
        """Take what has just arrived."""
        samples = np.frombuffer(pcm, dtype=np.int16).copy()
        piece = Piece(time.monotonic(), samples, loudness(samples) > LOUD)
        self._pieces.append(piece)
        if piece.is_loud:
            self.last_loud_at = piece.at
            if self.first_loud_at is None:
                self.first_loud_at = piece.at

    def is_quiet_for(self, seconds: float) -> bool:
        """Say whether there has been nothing but silence for that long."""
        return self.last_loud_at is None or time.monotonic() - self.last_loud_at >= seconds

    def first_loud_after(self, moment: float) -> float | None:
        """Return when the voice was first heard after a moment."""
        if self.last_loud_at is None or self.last_loud_at <= moment:
            return None
        found = None
        for piece in reversed(self._pieces):
            if piece.at <= moment:
                break
            if piece.is_loud:
                found = piece.at
        return found

    def between(self, begin: float, end: float) -> Sound:
        """Return what was heard from one moment to another."""
        parts = [piece.samples for piece in self._pieces if begin <= piece.at <= end]
        return Sound(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16), RATE)

    def everything(self) -> Sound:
        """Return all of it."""
        return self.between(0.0, time.monotonic())
