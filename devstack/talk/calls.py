"""What a caller notices in a call, and what can be missing."""

from __future__ import annotations

from dataclasses import dataclass, field

from devstack.errors import DevstackError
from devstack.talk.audio import Sound

REACTIONS = frozenset({"thinking", "speaking"})
"""States of an agent that has something to say."""
BUSY_STATES = REACTIONS | {"initializing"}


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

    def has_reacted_since(self, moment: float) -> bool:
        """Say whether what is heard can be an answer, not the end of what was said before.

        The voice of an agent on a busy machine may come late, and in pieces.
        """
        states = self.states
        return not states or any(at >= moment and state in REACTIONS for at, state in states)
