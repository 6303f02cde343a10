"""What a caller notices in a call, and what can be missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from devstack.errors import DevstackError
from devstack.talk.audio import Sound

REACTIONS = frozenset({"thinking", "speaking"})
"""States of an agent that has something to say."""
BUSY_STATES = REACTIONS | {"initializing"}
_STATE_LATE_S = 0.3


class CallerError(DevstackError):
    """Base of what can go wrong in a call."""


class JoinFailed(CallerError):
    """Raised when the room cannot be joined."""


class NoAgent(CallerError):
    """Raised when no agent came, or none that could be heard."""


class NoAnswer(CallerError):
    """Raised when the agent stayed silent, or did not stop speaking."""


class CallEnded(CallerError):
    """Raised when the room was closed, or we were put out of it, during a wait."""


@dataclass(kw_only=True)
class Moments:
    """When things happened for the first time; None: not yet."""

    joining_at: float | None = None
    joined_at: float | None = None
    agent_joined_at: float | None = None
    agent_track_at: float | None = None
    first_audio_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the agent said to an utterance."""

    latency_s: float
    """From the end of the user's speech to the first sound of the answer."""
    began_at: float
    ended_at: float
    sound: Sound
    text: str


@dataclass(kw_only=True)
class CallLog:
    """What the caller has noticed so far."""

    moments: Moments = field(default_factory=Moments)
    states: list[tuple[float, str]] = field(default_factory=list)
    #: Whose voice was listened to, each from when on: an agent may be replaced.
    voices: list[tuple[float, str]] = field(default_factory=list)
    ended_because: str | None = None

    @property
    def agent_state(self) -> str | None:
        """What the agent says it is doing."""
        return self.states[-1][1] if self.states else None

    def reacted_at(self, moment: float) -> float:
        """Return when the agent began to react to what was said at a moment; infinity: not yet.

        What was heard before is the end of what it said before: on a busy machine its voice comes
        late, and in pieces. One that does not tell its states may have reacted at once.
        """
        if not self.states:
            return moment
        reactions = (at for at, state in self.states if at >= moment and state in REACTIONS)
        # States come by another way than sound, and now and then after it.
        return max(moment, next(reactions, math.inf) - _STATE_LATE_S)


def talks_on(deadline_s: float) -> NoAnswer:
    """Return what is wrong with an agent that does not stop."""
    return NoAnswer(f"the agent did not stop speaking within {deadline_s:g} s")
