"""How the user's voice comes in: in pieces that go through without being cut or converted.

What looks for speech takes 512 samples at 16 kHz at a time, 32 ms, and what judges whether a turn
is over hears at 16 kHz, too (livekit-local-inference 0.2.7), as does Whisper. At the framework's
own 24 kHz and 50 ms each of them converts every piece for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from worker.voice.settings import Mode

P = ParamSpec("P")
T = TypeVar("T")


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


class AtOnce(Executor):
    """Does what it is given in the thread that gives it.

    For what takes less time than to have another thread do it: looking for speech in 32 ms of sound
    takes 0.03 ms of a processor, and in another thread 0.15 ms, thirty times a second.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it; the future is done."""
        future = Future[T]()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the one who waits for it raises it
            future.set_exception(error)
        return future
