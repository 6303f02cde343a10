"""Sound as 16-bit mono samples: read it, write it, change its rate, find the speech in it."""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from devstack.errors import DevstackError

Samples = npt.NDArray[np.int16]

LOUD = 300
"""Root mean square above which a piece of sound counts as speech; the full scale is 32767."""
_WINDOW_S = 0.02


class BadSound(DevstackError):
    """Raised for a file that is no sound we can read."""


@dataclass(frozen=True)
class Sound:
    """A piece of sound in one channel."""

    samples: Samples = field(repr=False)
    rate: int

    @classmethod
    def from_pcm(cls, pcm: bytes, rate: int, channels: int = 1) -> Self:
        """Take 16-bit little-endian samples; several channels are mixed into one."""
        whole = len(pcm) - len(pcm) % (2 * channels)
        frames = np.frombuffer(pcm[:whole], dtype="<i2").reshape(-1, channels)
        return cls(frames.mean(axis=1).astype(np.int16), rate)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a 16-bit WAV file of any rate and number of channels. Raises `BadSound`."""
        try:
            with wave.open(str(path), "rb") as file:
                if file.getsampwidth() != 2:
                    bits = 8 * file.getsampwidth()
                    raise BadSound(f"{path} has {bits}-bit samples: save it with 16 bits.")
                pcm = file.readframes(file.getnframes())
                return cls.from_pcm(pcm, file.getframerate(), file.getnchannels())
        except (OSError, EOFError, wave.Error) as error:
            raise BadSound(f"{path} is no WAV file that can be read: {error}") from error

    def write(self, path: Path) -> None:
        """Write a WAV file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(self.samples.astype("<i2").tobytes())

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    def at_rate(self, rate: int) -> Sound:
        """Return the same sound at another rate."""
        if rate == self.rate or not len(self.samples):
            return Sound(self.samples, rate)
        count = round(len(self.samples) * rate / self.rate)
        source = self.samples.astype(np.float64)
        if rate < self.rate:  # take out what the lower rate cannot hold
            width = max(1, round(self.rate / rate))
            source = np.convolve(source, np.ones(width) / width, mode="same")
        positions = np.arange(count) * (self.rate / rate)
        values = np.interp(positions, np.arange(len(source)), source)
        return Sound(np.clip(np.rint(values), -32768, 32767).astype(np.int16), rate)

    def speech_ends_s(self) -> float:
        """Return when the last loud moment is over; 0 for silence."""
        step = max(1, round(self.rate * _WINDOW_S))
        for start in range((len(self.samples) - 1) // step * step, -1, -step):
            if loudness(self.samples[start : start + step]) > LOUD:
                return min(start + step, len(self.samples)) / self.rate
        return 0.0


def loudness(samples: Samples) -> float:
    """Return the root mean square of some samples."""
    if not len(samples):
        return 0.0
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
