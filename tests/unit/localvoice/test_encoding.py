"""From a voice's samples to bytes, piece by piece."""

from __future__ import annotations

import numpy as np
import pytest

from localvoice.audio.decoding import SAMPLE_RATE as HEARD_RATE
from localvoice.audio.decoding import decode
from localvoice.audio.encoding import FORMATS, SAMPLE_RATE, build_encoder

VOICE_RATE = 22_050


def tone(seconds: float, frequency: float = 1000) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A sine as the voice would make it."""
    at = np.arange(int(seconds * VOICE_RATE)) / VOICE_RATE
    return (0.5 * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def encoded(name: str, piece_s: float) -> bytes:
    """Two seconds of tone, given piece by piece."""
    encoder = build_encoder(name, VOICE_RATE)
    samples = tone(2)
    size = int(piece_s * VOICE_RATE)
    pieces = [encoder.encode(samples[at : at + size]) for at in range(0, len(samples), size)]
    return b"".join([*pieces, encoder.finish()])


@pytest.mark.parametrize("piece_s", [2.0, 0.3, 0.011])
def test_resampling_is_clean_and_seamless(piece_s: float) -> None:
    samples = np.frombuffer(encoded("pcm", piece_s), dtype="<i2") / 32767

    assert abs(len(samples) - 2 * SAMPLE_RATE) < 50
    # Fit the ideal sine; what is left over is error, clicks included.
    at = np.arange(len(samples))[500:-500] / SAMPLE_RATE
    middle = samples[500:-500]
    basis = np.stack([np.sin(2 * np.pi * 1000 * at), np.cos(2 * np.pi * 1000 * at)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    error = middle - basis @ fit
    assert np.abs(error).max() < 0.005
    assert np.hypot(*fit) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pcm"])
def test_every_format_can_be_heard_again(name: str) -> None:
    data = encoded(name, 0.25)
    # ADTS has no place among what callers may upload; its decoder is tested over HTTP.
    if name == "aac":
        assert data[:2] in (b"\xff\xf1", b"\xff\xf9")
        return

    heard = decode(data, max_audio_s=10, cancelled=lambda: False)

    assert len(heard) / HEARD_RATE == pytest.approx(2, abs=0.1)
    assert 0.4 < np.abs(heard[HEARD_RATE // 2 : HEARD_RATE]).max() < 0.6


@pytest.mark.parametrize("name", FORMATS)
def test_an_encoder_without_input_can_be_closed(name: str) -> None:
    build_encoder(name, VOICE_RATE).finish()


def test_loud_samples_are_clipped_not_wrapped() -> None:
    encoder = build_encoder("pcm", SAMPLE_RATE)
    loud = np.full(SAMPLE_RATE, 3.0, dtype=np.float32)

    samples = np.frombuffer(encoder.encode(loud) + encoder.finish(), dtype="<i2")

    assert samples.min() > 32_000
