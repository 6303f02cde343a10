"""Finds speech in what the user sends, for a fraction of what the framework's way costs.

The model is the framework's (Silero, in livekit-local-inference), and so are the rules of when
speech has begun and ended (`livekit.agents.inference.VAD`, 1.8.9): on the same sound this says the
same, which tests/integration/worker/test_ear.py compares. What is different:

- A piece is looked at where it comes in, in the same step of the event loop: no other task or
  thread has part in it, and a piece of the right length is not cut or converted.
- While nobody speaks, it is told only twice a second that nobody does, not thirty times. That
  changes nothing for the framework, which has known it since the first time.
- There are no metrics of its own; nobody reads them.

Each call has two of these streams, one for its turns and one for what is recognised, and both hear
all that comes, from the first to the last second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import utils, vad
from livekit.local_inference import VAD as NativeVAD  # noqa: N811 - a class
from livekit.local_inference import VAD_WINDOW_SAMPLES

logger = logging.getLogger(__name__)

RATE = 16_000
_SAMPLE_BYTES = 2
_WINDOW_BYTES = VAD_WINDOW_SAMPLES * _SAMPLE_BYTES
_WINDOW_S = VAD_WINDOW_SAMPLES / RATE
#: While nobody speaks, each so many windows: every half second.
_QUIET_WINDOWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When speech begins and ends; the framework's own defaults. Seconds, and probabilities."""

    shortest_speech_s: float = 0.05
    #: Silence after which speech is over.
    silence_s: float = 0.25
    #: What is handed on from before its beginning, since words begin softly.
    prefix_s: float = 0.5
    longest_s: float = 60.0
    begins_at: float = 0.5
    ends_at: float = 0.35


class Ear(vad.VAD):
    """Makes a stream for each listener; calls share it."""

    def __init__(self, rules: Rules | None = None) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=_WINDOW_S))
        self._rules = rules or Rules()

    @property
    def model(self) -> str:
        """The model's name, for the framework's metrics."""
        return "silero"

    @property
    def provider(self) -> str:
        """Where it runs."""
        return "livekit-local-inference"

    @property
    def min_silence_duration(self) -> float:
        """What the framework compares with the needs of its turn detector, in seconds."""
        return self._rules.silence_s

    def stream(self) -> EarStream:
        """Listen to one voice; needs the event loop."""
        return EarStream(self, self._rules)


class EarStream(vad.VADStream):
    """Hears one voice. Its user pushes frames and iterates over events, as with any VAD."""

    def __init__(self, ear: Ear, rules: Rules) -> None:
        # Not the base's own, which would start two tasks and copy each event.
        self._vad = ear
        self._event_ch = utils.aio.Chan[vad.VADEvent]()
        self._model, self._hearing = NativeVAD(), _Hearing(rules)
        self._resampler: rtc.AudioResampler | None = None
        self._rest = b""
        self._has_ended = False

    async def _main_task(self) -> None:
        raise NotImplementedError("it has no task")

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Look for speech in a piece of sound. Raises RuntimeError when it was closed."""
        self._check_open()
        if frame.sample_rate == RATE and not self._rest:
            data = frame.data
            if len(data) == VAD_WINDOW_SAMPLES:
                self._hear(bytes(data.cast("B")))
                return
        for piece in self._at_our_rate(frame):
            self._rest += bytes(piece.data.cast("B"))
        while len(self._rest) >= _WINDOW_BYTES:
            window, self._rest = self._rest[:_WINDOW_BYTES], self._rest[_WINDOW_BYTES:]
            self._hear(window)

    def flush(self) -> None:
        """Begin anew: what was heard so far belongs to nothing that follows."""
        self._check_open()
        self._model.reset()
        self._hearing = _Hearing(self._hearing.rules)
        self._resampler, self._rest = None, b""

    def end_input(self) -> None:
        """Take no more; who iterates comes to the end."""
        self.flush()
        self._has_ended = True
        self._event_ch.close()

    async def aclose(self) -> None:
        """Close at once."""
        self._has_ended = True
        self._event_ch.close()
        self._model.close()

    async def __anext__(self) -> vad.VADEvent:
        """Return the next event."""
        return await self._event_ch.__anext__()

    def _check_open(self) -> None:
        if self._has_ended or self._event_ch.closed:
            raise RuntimeError("this ear is closed")

    def _at_our_rate(self, frame: rtc.AudioFrame) -> list[rtc.AudioFrame]:
        if frame.sample_rate == RATE:
            return [frame]
        if self._resampler is None:
            self._resampler = rtc.AudioResampler(
                input_rate=frame.sample_rate,
                output_rate=RATE,
                quality=rtc.AudioResamplerQuality.QUICK,
            )
        return self._resampler.push(frame)

    def _hear(self, window: bytes) -> None:
        probability = self._model.predict(np.frombuffer(window, dtype=np.int16))
        self._hearing.take(window, probability, self._event_ch.send_nowait)


class _Hearing:
    """What is known of the voice since the beginning, or the last flush."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._prefix_bytes = int(rules.prefix_s * RATE) * _SAMPLE_BYTES
        self._most_bytes = int(rules.longest_s * RATE) * _SAMPLE_BYTES + self._prefix_bytes
        self._is_speaking = False
        self._speech_s = self._silence_s = 0.0
        #: Windows in a row that are speech, or are none.
        self._loud_s = self._still_s = 0.0
        self._windows = self._quiet_windows = 0
        self._sound = bytearray()
        self._is_full = False

    def take(self, window: bytes, probability: float, tell: Callable[[vad.VADEvent], None]) -> None:
        """Take in one window, and tell what that means."""
        self._windows += 1
        self._keep(window)
        if self._is_speaking:
            self._speech_s += _WINDOW_S
        else:
            self._silence_s += _WINDOW_S
        rules = self.rules
        is_speech = probability >= rules.begins_at or (
            self._is_speaking and probability > rules.ends_at
        )
        if self._is_news(is_speech):
            tell(self._done(window, probability))
        if is_speech:
            self._loud_s, self._still_s = self._loud_s + _WINDOW_S, 0.0
            if not self._is_speaking and self._loud_s >= rules.shortest_speech_s:
                self._begin(tell)
        else:
            self._loud_s, self._still_s = 0.0, self._still_s + _WINDOW_S
            if not self._is_speaking:
                self._forget()
            elif self._still_s >= rules.silence_s:
                self._end(tell)

    def _is_news(self, is_speech: bool) -> bool:
        is_quiet = not (is_speech or self._is_speaking or self._loud_s)
        self._quiet_windows = self._quiet_windows + 1 if is_quiet else 0
        return self._quiet_windows % _QUIET_WINDOWS <= 1

    def _begin(self, tell: Callable[[vad.VADEvent], None]) -> None:
        self._is_speaking = True
        self._silence_s, self._speech_s = 0.0, self._loud_s
        kind = vad.VADEventType.START_OF_SPEECH
        tell(self._event(kind, frames=[_frame(bytes(self._sound))], speaking=True))

    def _end(self, tell: Callable[[vad.VADEvent], None]) -> None:
        self._is_speaking = False
        self._silence_s = self._still_s
        self._speech_s = max(0.0, self._speech_s - self._still_s)
        kind = vad.VADEventType.END_OF_SPEECH
        tell(self._event(kind, frames=[_frame(bytes(self._sound))]))
        self._speech_s = 0.0
        self._forget()

    def _done(self, window: bytes, probability: float) -> vad.VADEvent:
        return self._event(
            vad.VADEventType.INFERENCE_DONE,
            frames=[_frame(window)],
            speaking=self._is_speaking,
            probability=probability,
            raw_accumulated_silence=self._still_s,
            raw_accumulated_speech=self._loud_s,
        )

    def _event(self, kind: vad.VADEventType, **what: Any) -> vad.VADEvent:  # noqa: ANN401
        return vad.VADEvent(
            type=kind,
            samples_index=self._windows * VAD_WINDOW_SAMPLES,
            timestamp=self._windows * _WINDOW_S,
            silence_duration=self._silence_s,
            speech_duration=self._speech_s,
            **what,
        )

    def _keep(self, window: bytes) -> None:
        if len(self._sound) + len(window) <= self._most_bytes:
            self._sound += window
        elif not self._is_full:
            self._is_full = True
            logger.warning("speech is too long, the rest is not recognised")

    def _forget(self) -> None:
        """Keep only what may be the prefix of what comes."""
        self._is_full = False
        del self._sound[: -self._prefix_bytes]


def _frame(data: bytes) -> rtc.AudioFrame:
    return rtc.AudioFrame(data, RATE, 1, len(data) // _SAMPLE_BYTES)
