"""How long to wait before the same thing is asked again, and when to give up."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from voicefleet_client.errors import Unreachable, VoicefleetError

#: Who is asked to stay away for longer is told so instead.
_LONGEST_S = 60.0


@dataclass(slots=True, kw_only=True)
class Pauses:
    """Pauses that double, up to a limit; different for everybody, so that not all come at once."""

    first_s: float = 1.0
    most_s: float = 10.0
    _next_s: float = 0.0

    def next_s(self, at_least_s: float | None = None) -> float:
        """Return the next pause; it is never shorter than what a server asks for."""
        ceiling_s = max(self._next_s, self.first_s)
        self._next_s = min(2 * ceiling_s, self.most_s)
        spread_s = ceiling_s / 2 * random.random()  # noqa: S311 - nobody gains by guessing it
        return max(ceiling_s / 2, at_least_s or 0.0) + spread_s

    def reset(self) -> None:
        """Begin with short ones again."""
        self._next_s = 0.0


@dataclass(slots=True, kw_only=True)
class Patience:
    """Bears with a server for a while after it was heard last."""

    patience_s: float
    #: A stream that is open may say nothing for so long.
    silence_s: float
    pauses: Pauses = field(default_factory=Pauses)
    _heard_at: float = field(default_factory=time.monotonic)

    def hear(self, *, is_understood: bool) -> None:
        """Note a sign of life. Raises Unreachable when there have been but empty ones for long."""
        now = time.monotonic()
        if is_understood:
            self._heard_at = now
        elif now >= self._heard_at + max(self.patience_s, self.silence_s):
            raise Unreachable("something answers, but says nothing of use")

    def pause_after(self, error: VoicefleetError) -> float:
        """Return how long to wait after an error, in seconds; raises it when that is of no use."""
        is_too_long = (error.retry_after_s or 0) > _LONGEST_S
        is_past = time.monotonic() >= self._heard_at + self.patience_s
        if is_past or is_too_long or not error.is_passing:
            raise error
        return self.pauses.next_s(error.retry_after_s)
