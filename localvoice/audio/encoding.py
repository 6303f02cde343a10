"""Spoken samples to the bytes of a response, piece by piece.

One resampler and one encoder live as long as the response: restarted at each sentence they
would click.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from localvoice.audio.voice import Samples

#: OpenAI's rate for speech, Hz; what livekit-plugins-openai expects of ``pcm``.
SAMPLE_RATE = 24_000
_BYTES_PER_SAMPLE = 2
#: A WAV header written before its length is known says "until the end".
_UNKNOWN_LENGTH = 0xFFFFFFFF


class Encoder(ABC):
    """Turns samples into bytes; ``finish`` returns what was still held back."""

    def __init__(self, source_rate: int) -> None:
        self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        self._source_rate = source_rate
        self.samples_out = 0

    def encode(self, samples: Samples) -> bytes:
        """Bytes that can be sent now; possibly none."""
        if not samples.size:
            return b""
        pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
        frame = AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = self._source_rate
        return b"".join(self._pack(out) for out in self._resample(frame))

    def finish(self) -> bytes:
        """The last bytes. The encoder is used up afterwards."""
        tail = b"".join(self._pack(out) for out in self._resample(None))
        return tail + self._close()

    def _resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        if frame is None and not self.samples_out:
            return []  # the resampler has no format yet and nothing to give
        frames = self._resampler.resample(frame)
        self.samples_out += sum(out.samples for out in frames)
        return frames

    @abstractmethod
    def _pack(self, frame: AudioFrame) -> bytes:
        """Bytes of one 24 kHz frame."""

    def _close(self) -> bytes:
        return b""


class PcmEncoder(Encoder):
    """Bare samples: 24 kHz, mono, signed 16 bit, little endian."""

    def _pack(self, frame: AudioFrame) -> bytes:
        return frame.to_ndarray().astype("<i2", copy=False).tobytes()


class WavEncoder(PcmEncoder):
    """The same behind a header of unknown length, since the end is not known at the start."""

    def __init__(self, source_rate: int) -> None:
        super().__init__(source_rate)
        self._header = wav_header(SAMPLE_RATE)

    def _pack(self, frame: AudioFrame) -> bytes:
        header, self._header = self._header, b""
        return header + super()._pack(frame)


class _Sink:
    """A file that cannot be rewound: what a container writes to a socket."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


@dataclass(frozen=True)
class Packing:
    """A compressed format: FFmpeg's container and codec, and what they need to be told."""

    container: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)


class PackedEncoder(Encoder):
    """A compressed format, made by FFmpeg's encoders."""

    def __init__(self, source_rate: int, packing: Packing) -> None:
        super().__init__(source_rate)
        self._sink = _Sink()
        self._container = av.open(
            self._sink, "w", format=packing.container, options=dict(packing.options)
        )
        self._stream = cast(
            AudioStream, self._container.add_stream(packing.codec, rate=SAMPLE_RATE)
        )
        self._stream.layout = "mono"

    def _pack(self, frame: AudioFrame) -> bytes:
        frame.pts = None
        self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def _close(self) -> bytes:
        if self.samples_out:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


@dataclass(frozen=True)
class Format:
    """One value of ``response_format``: its media type, and FFmpeg's part in it, if any."""

    media_type: str
    packing: Packing | None = None


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "pcm": Format("audio/pcm"),
        "wav": Format("audio/wav"),
        "mp3": Format("audio/mpeg", Packing("mp3", "libmp3lame", {"write_xing": "0"})),
        # Ogg collects a second of sound per page unless told; a listener is waiting.
        "opus": Format("audio/ogg", Packing("ogg", "libopus", {"page_duration": "100000"})),
        "aac": Format("audio/aac", Packing("adts", "aac")),
        "flac": Format("audio/flac", Packing("flac", "flac")),
    }
)


def build_encoder(name: str, source_rate: int) -> Encoder:
    """An encoder for one response. ``name`` is a key of FORMATS."""
    packing = FORMATS[name].packing
    if packing is not None:
        return PackedEncoder(source_rate, packing)
    return WavEncoder(source_rate) if name == "wav" else PcmEncoder(source_rate)


def wav_header(sample_rate: int) -> bytes:
    """The 44 bytes before mono 16-bit samples of unknown length."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        _UNKNOWN_LENGTH,
        b"WAVE",
        b"fmt ",
        16,
        1,  # integer samples
        1,  # mono
        sample_rate,
        sample_rate * _BYTES_PER_SAMPLE,
        _BYTES_PER_SAMPLE,
        8 * _BYTES_PER_SAMPLE,
        b"data",
        _UNKNOWN_LENGTH,
    )
