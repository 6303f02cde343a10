"""What can go wrong with a session.

SessionError
├── SessionNotFound     no such session, or its record has expired
├── SessionOver         it has ended or failed already
├── StaleEpoch          another agent has been sent since; this one must leave the room
├── AgentAlreadyThere   an agent of the same epoch has claimed the session
├── AtCapacity          every slot is taken
└── StoreUnavailable    Redis did not answer, or not in time

``code`` goes to clients and into logs; ``retryable`` says whether the same call may succeed later.
"""

from __future__ import annotations

from typing import ClassVar


class SessionError(Exception):
    """Base of everything the store raises on purpose."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False


class SessionNotFound(SessionError):
    """Raised when there is no such session, or its record has expired."""

    code = "session_not_found"


class SessionOver(SessionError):
    """Raised when a session has ended or failed already."""

    code = "session_over"


class StaleEpoch(SessionError):
    """Raised when an agent writes under an epoch that is no longer the session's."""

    code = "stale_epoch"


class AgentAlreadyThere(SessionError):
    """Raised when a second agent claims a session under the same epoch."""

    code = "agent_already_there"


class AtCapacity(SessionError):
    """Raised when every slot is taken."""

    code = "at_capacity"
    retryable = True


class StoreUnavailable(SessionError):
    """Raised when Redis did not answer, or not in time. The write may have happened."""

    code = "store_unavailable"
    retryable = True


#: First word of a script's error reply -> what it means.
BY_REPLY: dict[str, type[SessionError]] = {
    "NOSESSION": SessionNotFound,
    "OVER": SessionOver,
    "FENCED": StaleEpoch,
    "BUSY": AgentAlreadyThere,
    "CAPACITY": AtCapacity,
}
