"""How long to wait until a message is sent once more."""

from __future__ import annotations

import random
from collections.abc import Callable

#: After so many failures in a row; after more of them, as after the last.
_PAUSES_S = (1.0, 5.0, 15.0, 60.0, 300.0)
#: By how much of itself a pause may be shorter or longer.
_JITTER = 0.2
#: Whoever asks us to come back later than this is asked sooner.
LONGEST_PAUSE_S = 300.0


def pause_s(
    failures: int,
    asked_s: float | None = None,
    *,
    chance: Callable[[], float] = random.random,
) -> float:
    """Return how long to wait after so many failures in a row, from 1 on.

    ``asked_s`` is what the receiver wants: never less than that, within bounds.
    """
    pause = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1] * (1 + _JITTER * (2 * chance() - 1))
    return max(pause, min(asked_s or 0.0, LONGEST_PAUSE_S))
