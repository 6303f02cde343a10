"""How the user's voice comes in: in pieces that go through without being cut or converted.

What looks for speech takes 512 samples at 16 kHz at a time, 32 ms, and what judges whether a turn
is over hears at 16 kHz, too (livekit-local-inference 0.2.7), as does Whisper. At the framework's
own 24 kHz and 50 ms each of them converts every piece for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.voice.settings import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Samples in a second, and how long a piece is."""

    sample_rate: int
    frame_ms: int


LISTENING = {
    Mode.CASCADE: Listening(sample_rate=16_000, frame_ms=32),
    # What OpenAI's realtime models take.
    Mode.REALTIME: Listening(sample_rate=24_000, frame_ms=50),
}
