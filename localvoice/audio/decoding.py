"""A recording in memory to the samples Whisper wants: 16 kHz mono float32.

The container is recognised by its first bytes and opened as exactly that. Left to guess,
FFmpeg also recognises playlists, which name other files and addresses to read.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from localvoice.errors import ApiError, TooLarge

#: What Whisper listens to, Hz.
SAMPLE_RATE = 16_000
#: What a caller may send.
CONTAINERS = "wav, webm, ogg, mp3, flac, m4a or mp4"

#: Below it there is no speech, and one frame would become minutes after resampling. Hz.
_LOWEST_RATE = 4_000
_HIGHEST_RATE = 384_000
_MOST_CHANNELS = 8
#: A recording with more broken frames than this is given up.
_MOST_BAD_FRAMES = 200

#: FFmpeg's name, and the bytes at an offset that give it away.
_MAGIC = (
    ("wav", 8, b"WAVE"),
    ("matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("ogg", 0, b"OggS"),
    ("flac", 0, b"fLaC"),
    ("mov", 4, b"ftyp"),
    ("mp3", 0, b"ID3"),
)

Samples = NDArray[np.float32]


def sniff_container(data: bytes) -> str | None:
    """FFmpeg's name for the container that ``data`` begins like, or None."""
    for name, offset, magic in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    return "mp3" if _is_mpeg_audio(data) else None


def _is_mpeg_audio(data: bytes) -> bool:
    """An MPEG frame header: 11 set bits, a known version, a layer (none would be AAC)."""
    if len(data) < 4 or data[0] != 0xFF:
        return False
    return data[1] & 0xE0 == 0xE0 and data[1] & 0x18 != 0x08 and data[1] & 0x06 != 0


def decode(data: bytes, *, max_audio_s: float, cancelled: Callable[[], bool]) -> Samples:
    """Samples of the recording's first audio stream; what follows a truncation is missing.

    Raises ApiError for what is no readable audio, TooLarge over ``max_audio_s``. Returns what
    it has when ``cancelled`` turns true: nobody waits for the rest.
    """
    if not data:
        raise _unreadable("the audio file is empty", code="empty_audio")
    container_format = sniff_container(data)
    if container_format is None:
        raise _unreadable(f"unrecognised audio format; send {CONTAINERS}")
    try:
        with _open(data, container_format) as container:
            pieces = list(_read(container, max_audio_s=max_audio_s, cancelled=cancelled))
    except (av.error.FFmpegError, ValueError, EOFError, MemoryError) as error:
        raise _unreadable(f"the audio could not be decoded as {container_format}") from error
    samples = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
    if not samples.size and not cancelled():
        raise _unreadable("the file contains no audio", code="empty_audio")
    return samples


def _open(data: bytes, container_format: str) -> InputContainer:
    return av.open(
        io.BytesIO(data),
        mode="r",
        format=container_format,
        metadata_errors="ignore",
        # Nothing but the bytes at hand may be opened, whatever they refer to.
        options={"protocol_whitelist": "", "probesize": "1000000"},
    )


def _read(
    container: InputContainer, *, max_audio_s: float, cancelled: Callable[[], bool]
) -> Iterator[Samples]:
    if not container.streams.audio:
        raise _unreadable("the file has no audio track")
    limit = int(max_audio_s * SAMPLE_RATE)
    resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    total = 0
    for frame in _frames(container):
        _check_frame(frame, max_audio_s=max_audio_s)
        for resampled in resampler.resample(frame):
            yield _array(resampled)
            total += resampled.samples
        if total > limit:
            raise _too_long(max_audio_s)
        if cancelled():
            return
    if total:
        for resampled in resampler.resample(None):
            yield _array(resampled)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    """Decoded frames; broken ones are left out, and the end of a cut-off file is an end."""
    frames = container.decode(audio=0)
    bad_frames = 0
    while bad_frames <= _MOST_BAD_FRAMES:
        try:
            frame = next(frames)
        except (StopIteration, av.error.EOFError):
            return
        except av.error.InvalidDataError:
            bad_frames += 1
            continue
        # Gaps and jumps in a recorder's timestamps would be filled or refused.
        frame.pts = None
        yield frame


def _check_frame(frame: AudioFrame, *, max_audio_s: float) -> None:
    rate = frame.sample_rate
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise _unreadable(f"a sample rate of {rate} Hz is not supported")
    if frame.layout.nb_channels > _MOST_CHANNELS:
        raise _unreadable(f"more than {_MOST_CHANNELS} channels are not supported")
    if frame.samples / rate > max_audio_s:
        raise _too_long(max_audio_s)


def _array(frame: AudioFrame) -> Samples:
    return np.ascontiguousarray(frame.to_ndarray()[0], dtype=np.float32)


def _unreadable(message: str, *, code: str = "invalid_audio") -> ApiError:
    return ApiError(message, param="file", code=code)


def _too_long(max_audio_s: float) -> TooLarge:
    return TooLarge(
        f"the audio is longer than {max_audio_s:g} seconds", param="file", code="audio_too_long"
    )
