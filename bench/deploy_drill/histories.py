"""What the store has written down of a session: which agents it had, and why another one came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sessions.journal import Event
from sessions.states import OVER

#: What a worker says that hands over a call, since it stops (worker/call/handover.py).
_PLANNED = "The worker of its agent stops."


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The agents of one session after its first."""

    #: When each of them was due that its worker had asked for, by `time.monotonic`.
    handed_over_at: Sequence[float]
    #: How many came in place of one that was lost.
    losses: int
    #: Whether the session is over.
    is_over: bool


def history(events: Sequence[Event]) -> History:
    """Read the changes of a session, the oldest first."""
    handed_over_at, losses, epoch = list[float](), 0, 1
    for event in events:
        if event.epoch > epoch and event.detail == _PLANNED:
            handed_over_at.append(monotonic_of(event.at_ms))
        elif event.epoch > epoch:
            losses += 1
        epoch = event.epoch
    is_over = bool(events) and events[-1].status in OVER
    return History(handed_over_at=handed_over_at, losses=losses, is_over=is_over)


def monotonic_of(at_ms: int) -> float:
    """Return when something was, by `time.monotonic`: Redis's clock is that of this machine."""
    return at_ms / 1000 - time.time() + time.monotonic()
