"""What became of a session that something was done to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sessions.states import State
from tokenserver.contract.views import MESSAGES

#: The status of a session that was never let in.
REFUSED = "refused"


class Fate(StrEnum):
    RECOVERED = "recovered"  # an agent was heard
    TOLD = "told"  # none was, and the user was told so
    LOST = "lost"  # neither: what must never be


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a user heard after a moment; without any sound, what they could know instead."""

    #: Seconds from the moment to the first sound of an agent.
    after_s: float | None
    status: str | None = None
    #: What the user is shown.
    message: str | None = None
    #: Why LiveKit closed the room; None while it is open.
    room_closed: str | None = None
    #: What could not be asked, or done.
    trouble: str | None = None

    @property
    def fate(self) -> Fate:
        """Whether somebody was heard, or the user knows that nobody will be."""
        if self.after_s is not None:
            return Fate.RECOVERED
        says_why = self.message not in {None, "", MESSAGES[State.ENDED]}
        is_over = self.status in {State.FAILED, State.ENDED, REFUSED}
        return Fate.TOLD if is_over and says_why else Fate.LOST
