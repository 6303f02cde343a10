"""What the user said before the agent was there, within bounds.

LiveKit's clients record while they connect, and send the recording once the agent is there (LiveKit
docs, "Instant connect": pre-connect audio). The framework takes it from everybody in the room, of
any length, keeps what no track asks for until the call ends, and lets FFmpeg guess what it is: a
list of other files is a recording to FFmpeg, too, and it opens them. Here only the user's count,
few of them, short ones, and they are opened as what they claim to be.
"""

from __future__ import annotations

import asyncio
import io
import logging
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import av
import av.error
from av.audio.resampler import AudioResampler
from livekit import rtc
from livekit.agents import vad
from livekit.rtc.data_stream import ByteStreamHandler, StreamError

logger = logging.getLogger(__name__)

#: The framework's (livekit-agents 1.8.9) and the clients' name for it.
TOPIC = "lk.agent.pre-connect-audio-buffer"
#: A page that is loaded anew sends another one. One that nobody asks for stays until the end.
MOST_BUFFERS = 10
#: Clients wait 10 s for an agent; what is longer is cut off.
LONGEST_S = 15.0
#: Browsers record at 128 kbit/s or less: 16 KB each second, and the container.
_MOST_PACKED_BYTES = 400_000
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 48_000
_MOST_CHANNELS = 2
_MOST_ID_CHARS = 64
_MOST_DIGITS = 6
_SAMPLE_BYTES = 2
#: What packed sound becomes; the framework converts it to the rate that the conversation has.
_RATE = 24_000
_MOST_UNPACKED_BYTES = int(LONGEST_S * _RATE) * _SAMPLE_BYTES
_CHUNK_BYTES = 48_000
#: What browsers record in; the framework would take all but opus for plain samples: for noise.
_PACKED = ("audio/opus", "audio/webm", "audio/ogg", "audio/mp4")
#: FFmpeg's name, and the bytes at an offset that give it away.
_CONTAINERS = (("matroska", 0, b"\x1a\x45\xdf\xa3"), ("ogg", 0, b"OggS"), ("mov", 4, b"ftyp"))


@dataclass(frozen=True, slots=True)
class Format:
    """What a recording claims to be."""

    sample_rate: int
    channels: int
    is_packed: bool

    @property
    def most_bytes(self) -> int:
        """Return how much of it is read."""
        if self.is_packed:
            return _MOST_PACKED_BYTES
        return int(LONGEST_S * self.sample_rate) * self.channels * _SAMPLE_BYTES

    @classmethod
    def of(cls, info: rtc.ByteStreamInfo) -> Format | None:
        """Read what its sender says; None when that is no recording."""
        said = info.attributes or {}
        rate, channels = _number(said.get("sampleRate")), _number(said.get("channels"))
        if not _LOWEST_RATE <= rate <= _HIGHEST_RATE or not 1 <= channels <= _MOST_CHANNELS:
            return None
        if not 0 < len(said.get("trackId", "")) <= _MOST_ID_CHARS:
            return None
        return cls(rate, channels, info.mime_type.startswith(_PACKED))


class PreConnectAudio:
    """Stands between a room and the framework's reader of recordings.

    `user` tells whose count: nobody's while it is empty. `make_way` is called before one is handed
    on that has speech in it: while the agent speaks its first second the framework hears nothing,
    taking it for echo, and that is when recordings come.
    """

    def __init__(
        self,
        room: rtc.Room,
        user: Callable[[], str],
        detector: vad.VAD,
        make_way: Callable[[], Awaitable[None]],
    ) -> None:
        self._room = room
        self._user = user
        self._detector = detector
        self._make_way = make_way
        self._left = MOST_BUFFERS
        self._has_warned = False

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Bound what a reader is given that registers meanwhile."""
        register = self._room.register_byte_stream_handler

        def register_bounded(topic: str, handler: ByteStreamHandler) -> None:
            register(topic, self._bounded(handler) if topic == TOPIC else handler)

        setattr(self._room, "register_byte_stream_handler", register_bounded)  # noqa: B010 - mypy guards methods
        try:
            yield
        finally:
            delattr(self._room, "register_byte_stream_handler")

    def _bounded(self, handler: ByteStreamHandler) -> ByteStreamHandler:
        def take(reader: rtc.ByteStreamReader, identity: str) -> None:
            form = Format.of(reader.info)
            if not identity or identity != self._user() or form is None or self._left <= 0:
                reader.close()
                if not self._has_warned:
                    logger.info("pre-connect audio passed over", extra={"left": self._left})
                self._has_warned = True
                return
            self._left -= 1
            recording = _Recording(reader, form, self._prepare)
            # It is all that the framework needs of a reader: `info`, and to be iterated.
            handler(cast("rtc.ByteStreamReader", recording), identity)

        return take

    async def _prepare(self, samples: bytes, sample_rate: int) -> None:
        try:
            if await has_speech(self._detector, samples, sample_rate):
                await self._make_way()
        except Exception:
            # It may be heard all the same.
            logger.exception("way not made for pre-connect audio")


class _Recording:
    """A reader of samples, 16 bit mono, whatever was sent. `prepare` sees them first."""

    def __init__(
        self,
        reader: rtc.ByteStreamReader,
        form: Format,
        prepare: Callable[[bytes, int], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._form = form
        self._prepare = prepare
        self._rate = _RATE if form.is_packed else form.sample_rate
        told = {"sampleRate": str(self._rate), "channels": "1"}
        attributes = (reader.info.attributes or {}) | told
        self.info = replace(reader.info, mime_type="", attributes=attributes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data = await _read(self._reader, self._form.most_bytes)
        samples = await asyncio.to_thread(self._samples, data)
        await self._prepare(samples, self._rate)
        for start in range(0, len(samples), _CHUNK_BYTES):
            yield samples[start : start + _CHUNK_BYTES]

    def _samples(self, data: bytes) -> bytes:
        if self._form.is_packed:
            return unpack(data)
        whole = array("h", data[: len(data) - len(data) % _SAMPLE_BYTES])
        return whole[:: self._form.channels].tobytes()


async def has_speech(detector: vad.VAD, samples: bytes, sample_rate: int) -> bool:
    """Say whether anybody speaks in these samples, 16 bit mono; takes 8 ms for each second."""
    if not samples:
        return False
    stream = detector.stream()
    try:
        count = len(samples) // _SAMPLE_BYTES
        stream.push_frame(rtc.AudioFrame(samples, sample_rate, 1, count))
        stream.end_input()
        return any([one.type is vad.VADEventType.START_OF_SPEECH async for one in stream])
    finally:
        await stream.aclose()


async def _read(reader: rtc.ByteStreamReader, most_bytes: int) -> bytes:
    """Return the beginning of a stream; what has come when it breaks off.

    The framework allows 3 s for it.
    """
    data = bytearray()
    try:
        async for piece in reader:
            data += piece[: most_bytes - len(data)]
            if len(data) >= most_bytes:
                break
    except StreamError:
        logger.info("pre-connect audio broke off", extra={"received_bytes": len(data)})
    finally:
        reader.close()
    return bytes(data)


def unpack(data: bytes) -> bytes:
    """Return the samples of a packed recording, in mono at 24 kHz, `LONGEST_S` of them at most.

    Of one that is broken, what comes before; of one that is none, nothing.
    """
    samples = bytearray()
    try:
        for piece in _decoded(data):
            samples += piece
            if len(samples) >= _MOST_UNPACKED_BYTES:
                break
    except (av.error.FFmpegError, ValueError, EOFError, IndexError) as error:
        extra = {"error": type(error).__name__, "kept_bytes": len(samples)}
        logger.info("pre-connect audio cannot be decoded", extra=extra)
    return bytes(samples[:_MOST_UNPACKED_BYTES])


def _decoded(data: bytes) -> Iterator[bytes]:
    found = [name for name, at, magic in _CONTAINERS if data[at : at + len(magic)] == magic]
    if not found:
        raise ValueError("no recording of a browser")
    # Nothing but these bytes may be opened, whatever they refer to.
    nothing_else = {"protocol_whitelist": ""}
    with av.open(io.BytesIO(data), "r", format=found[0], options=nothing_else) as container:
        resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                yield bytes(piece.planes[0])[: piece.samples * _SAMPLE_BYTES]


def _number(text: str | None) -> int:
    """Read a small number; 0 for anything else."""
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return 0
    return int(text)
