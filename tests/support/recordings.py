"""Recordings as browsers make them."""

from __future__ import annotations

import io

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
#: Samples of one second, all through the tests.
RATE = 24_000


def packed(samples: Pcm, container: str, codec: str) -> bytes:
    """The samples in a compressed format."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        frame = AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return target.getvalue()


def tone(seconds: float) -> Pcm:
    """A plain tone."""
    times = np.arange(int(seconds * RATE)) / RATE
    return (8_000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
