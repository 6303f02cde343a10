"""Recordings for the tests: speech from our own voice, silence, noise, in many containers."""

from __future__ import annotations

import io
import re
import wave

import av
import httpx2
import numpy as np

from tests.support.recordings import RATE, Pcm

_ATTEMPTS = 5

_DIGITS = {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six",
    "7": "seven", "8": "eight", "9": "nine", "10": "ten", "11": "eleven", "12": "twelve",
}  # fmt: skip


class Spoken:
    """Sentences as sound."""

    def __init__(self, api: str) -> None:
        self._api = api
        self._made: dict[str, Pcm] = {}

    def __call__(self, text: str) -> Pcm:
        """24 kHz mono samples of the sentence."""
        if text not in self._made:
            self._made[text] = self._clearly(text)
        return self._made[text]

    def _clearly(self, text: str) -> Pcm:
        """Say a sentence until a plain recording of it is understood.

        The voice says it a little differently every time, and the smallest Whisper mishears a few
        renderings in a hundred ("What a seven plus five?"). All tests of a session share one.
        """
        for _ in range(_ATTEMPTS - 1):
            samples = self._say(text)
            if words(self._heard(samples)) == words(text):
                return samples
        return self._say(text)

    def _say(self, text: str) -> Pcm:
        answer = httpx2.post(
            f"{self._api}/audio/speech",
            json={"input": text, "response_format": "pcm"},
            timeout=60,
        )
        answer.raise_for_status()
        return np.frombuffer(answer.content, dtype="<i2")

    def _heard(self, samples: Pcm) -> str:
        answer = httpx2.post(
            f"{self._api}/audio/transcriptions",
            files={"file": ("spoken.wav", wav(samples))},
            data={"model": "whisper"},
            timeout=60,
        )
        answer.raise_for_status()
        return str(answer.json()["text"])


def wav(samples: Pcm, rate: int = RATE) -> bytes:
    """A plain WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def duration_s(data: bytes) -> float:
    """Length of a recording in any container."""
    with av.open(io.BytesIO(data), mode="r") as file:
        return sum((frame.samples / frame.sample_rate for frame in file.decode(audio=0)), 0.0)


def silence(seconds: float) -> Pcm:
    """Nothing at all."""
    return np.zeros(int(seconds * RATE), dtype=np.int16)


def noise(seconds: float, level: float, seed: int = 1) -> Pcm:
    """White noise; ``level`` 1.0 is as loud as can be."""
    values = np.random.default_rng(seed).normal(0, level * 32767 / 3, int(seconds * RATE))
    return np.clip(values, -32767, 32767).astype(np.int16)


def hum(seconds: float, frequency: float) -> Pcm:
    """A steady tone."""
    at = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * frequency * at) * 8000).astype(np.int16)


def words(text: str) -> list[str]:
    """Lower-case words with digits spelled out, for comparing transcripts."""
    return [_DIGITS.get(word, word) for word in re.findall(r"[a-z]+|\d+", text.lower())]
