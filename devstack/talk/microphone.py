"""A microphone that plays what it is given at the pace of real time, in a room with some noise.

The noise matters: turn detectors learnt from real rooms, and take perfect silence after a sentence
for a cut, so that they wait for the rest of it.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from devstack.talk.audio import Samples, Sound

RATE = 48_000
_FRAME_S = 0.02
_FRAME = int(RATE * _FRAME_S)
_QUEUE_MS = 100
_NAME = "microphone"
_NOISE = 30.0
"""Root mean square of the noise: 60 dB below full scale, a quiet room."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """When an utterance was on the air, by `time.monotonic`. Silence at its end is not counted."""

    began_at: float
    ended_at: float


class Microphone:
    """A track of the user's voice. Sends the room's noise all the time, as real ones do."""

    def __init__(self) -> None:
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._pieces: asyncio.Queue[tuple[Samples, asyncio.Future[float] | None]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        noise = np.random.default_rng(0).normal(0, _NOISE, (50, _FRAME))
        self._noise = itertools.cycle(noise.astype(np.int16))

    async def publish(self, room: rtc.Room, *, has_recording: bool = False) -> str:
        """Publish the track, start to send, and return the track's id.

        With `has_recording`, agents wait for what was recorded before (pre-connect audio).
        """
        track = rtc.LocalAudioTrack.create_audio_track(_NAME, self._source)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE, preconnect_buffer=has_recording
        )
        publication = await room.local_participant.publish_track(track, options)
        self._task = asyncio.create_task(self._send(), name="microphone")
        return publication.sid

    async def play(self, sound: Sound) -> Said:
        """Play a sound to its end."""
        loop = asyncio.get_running_loop()
        samples = sound.at_rate(RATE).samples
        pieces = [samples[start : start + _FRAME] for start in range(0, len(samples), _FRAME)]
        last = max(0, math.ceil(sound.speech_ends_s() / _FRAME_S) - 1)
        marks = {number: loop.create_future() for number in {0, last, len(pieces) - 1}}
        for number, piece in enumerate(pieces):
            self._pieces.put_nowait((piece, marks.get(number)))
        if not pieces:
            return Said(began_at=time.monotonic(), ended_at=time.monotonic())
        await marks[len(pieces) - 1]
        return Said(began_at=await marks[0] - _FRAME_S, ended_at=await marks[last])

    async def close(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        while not self._pieces.empty():
            _, mark = self._pieces.get_nowait()
            if mark is not None:
                mark.cancel()
        await self._source.aclose()

    async def _send(self) -> None:
        """Feed the source, which takes no more than it can play soon."""
        while True:
            mark, sound = None, next(self._noise)
            with suppress(asyncio.QueueEmpty):
                piece, mark = self._pieces.get_nowait()
                louder = sound[: len(piece)].astype(np.int32) + piece
                sound = np.clip(louder, -32768, 32767).astype(np.int16)
            frame = rtc.AudioFrame(sound.tobytes(), RATE, 1, len(sound))
            await self._source.capture_frame(frame)
            if mark is not None and not mark.done():
                mark.set_result(time.monotonic() + self._source.queued_duration)
