"""Answers as values. Times are in ms since 1970; what the server adds later is left aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

#: Nothing changes such a session any more.
_TERMINAL = frozenset({"ended", "failed", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """A place in line; `eta_s` is None while nobody knows how long sessions last."""

    position: int
    eta_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a LiveKit client needs to join."""

    server_url: str
    participant_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session, as its owner sees it."""

    session_id: str
    status: str
    message: str
    revision: int
    room_name: str
    #: From admission to the agent being audible.
    startup_s: float | None
    prewarmed: bool | None
    agent_state: str | None
    #: Whom the start named; None is the fleet's default.
    persona: str | None
    #: Why it ended, where that is known: time_limit, user_left, user_away, …
    reason: str | None
    queue: QueuePlace | None
    #: From admission until the user has joined.
    token: Token | None
    created_at_ms: int
    ready_at_ms: int | None
    joined_at_ms: int | None
    ended_at_ms: int | None

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in _TERMINAL

    def tells_same_as(self, other: SessionView | None) -> bool:
        """Say whether there is nothing new in it; a token is made anew with every look."""
        return other is not None and replace(self, token=other.token) == other

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read an answer. Raises LookupError, TypeError, ValueError when it is none."""
        return cls(
            session_id=str(value["sessionId"]),
            status=str(value["status"]),
            message=str(value["message"]),
            revision=int(value["revision"]),
            room_name=value["roomName"],
            startup_s=value["startupTime"],
            prewarmed=value["prewarmed"],
            agent_state=value.get("agentState"),
            persona=value.get("persona"),
            reason=value.get("reason"),
            queue=place_from_json(value.get("queue")),
            token=token_from_json(value),
            created_at_ms=value["createdAt"],
            ready_at_ms=value["readyAt"],
            joined_at_ms=value["joinedAt"],
            ended_at_ms=value["endedAt"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a session's log."""

    at_ms: int
    level: str
    text: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read one."""
        return cls(at_ms=value["at"], level=value["level"], text=value["text"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side said; `role` is user or assistant."""

    at_ms: int
    role: str
    text: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read one."""
        return cls(at_ms=value["at"], role=value["role"], text=value["text"])


def place_from_json(value: Mapping[str, Any] | None) -> QueuePlace | None:
    """Read a place in line, if there is one."""
    if value is None:
        return None
    return QueuePlace(position=value["position"], eta_s=value["etaSeconds"])


def token_from_json(value: Mapping[str, Any]) -> Token | None:
    """Read the token of an answer, if it has one."""
    if not value.get("participantToken"):
        return None
    return Token(server_url=value["serverUrl"], participant_token=value["participantToken"])
