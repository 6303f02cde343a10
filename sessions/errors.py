"""What can go wrong with a session.

SessionError
├── InvalidInput         an id, a cursor or a number that cannot be one; nothing was sent to Redis
├── SessionNotFound      no such session, or its record has expired
├── SessionOver          it is over, or about to be
├── StillWaiting         it waits in the queue and has no slot yet
├── StaleEpoch           another agent has been sent since; this one must leave the room
├── AgentAlreadyThere    another agent of the same epoch has claimed the session
├── NotClaimed           the agent has to claim the session first
├── NotAdmitted
│   ├── AtCapacity       every slot is taken, and the caller would not wait
│   ├── QueueFull        every slot is taken, and the queue is as long as it may be
│   ├── UserBusy         the user has a live session, and the policy is to have one only
│   ├── RateLimited      too many sessions were started; `retry_after_s` says when to retry
│   └── IdempotencyConflict   the same Idempotency-Key came with another request
├── Deposed              another supervisor leads by now; this one must stop
├── WorkerNotFound       no such worker, or its lease has lapsed: it has to register again
├── WrongSchema          the keys in Redis were written by another version of this code
└── StoreUnavailable     Redis did not answer, or not in time

``code`` goes to clients and into logs; ``retryable`` says whether the same call may succeed later.
"""

from __future__ import annotations

from typing import ClassVar


class SessionError(Exception):
    """Base of everything the store raises on purpose."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False


class InvalidInput(SessionError):
    """Raised when an id, a cursor or a number cannot be one. Keys are built from checked ids."""

    code = "invalid_input"


class SessionNotFound(SessionError):
    """Raised when there is no such session, or its record has expired."""

    code = "session_not_found"


class SessionOver(SessionError):
    """Raised when a session is over: ended, failed, expired, or about to be."""

    code = "session_over"


class StillWaiting(SessionError):
    """Raised when an agent is to take a session that waits in the queue."""

    code = "still_waiting"
    retryable = True


class StaleEpoch(SessionError):
    """Raised when an agent writes under an epoch that is no longer the session's."""

    code = "stale_epoch"


class AgentAlreadyThere(SessionError):
    """Raised when a second agent claims a session under the same epoch."""

    code = "agent_already_there"


class NotClaimed(SessionError):
    """Raised when an agent writes to a session that it has not claimed."""

    code = "not_claimed"


class NotAdmitted(SessionError):
    """Base of the reasons why a session cannot be started now."""

    retryable = True


class AtCapacity(NotAdmitted):
    """Raised when every slot is taken and the caller would not wait."""

    code = "at_capacity"


class QueueFull(NotAdmitted):
    """Raised when every slot is taken and the queue is as long as it may be."""

    code = "queue_full"


class UserBusy(NotAdmitted):
    """Raised when the user has a live session, or waits, already; the text is its id."""

    code = "user_busy"


class RateLimited(NotAdmitted):
    """Raised when sessions are started too fast: by a user, from an address, or by all together."""

    code = "rate_limited"

    @property
    def retry_after_s(self) -> int:
        """How long to wait before the next start, in whole seconds."""
        return -(-int(str(self) or 0) // 1000)


class IdempotencyConflict(NotAdmitted):
    """Raised when an idempotency key is used again for another request."""

    code = "idempotency_conflict"
    retryable = False


class Deposed(SessionError):
    """Raised when a supervisor writes under a term that is no longer the leader's."""

    code = "deposed"


class WorkerNotFound(SessionError):
    """Raised when there is no such worker, or its lease has lapsed. It has to register again."""

    code = "worker_not_found"


class WrongSchema(SessionError):
    """Raised when the keys in Redis were written by another version of this code."""

    code = "wrong_schema"


class StoreUnavailable(SessionError):
    """Raised when Redis did not answer, or not in time. The write may have happened."""

    code = "store_unavailable"
    retryable = True


#: First word of a script's error reply -> what it means.
BY_REPLY: dict[str, type[SessionError]] = {
    "NOSESSION": SessionNotFound,
    "OVER": SessionOver,
    "WAITING": StillWaiting,
    "FENCED": StaleEpoch,
    "CLAIMED": AgentAlreadyThere,
    "UNCLAIMED": NotClaimed,
    "CAPACITY": AtCapacity,
    "QUEUEFULL": QueueFull,
    "USERBUSY": UserBusy,
    "RATE": RateLimited,
    "IDEMPOTENCY": IdempotencyConflict,
    "DEPOSED": Deposed,
    "NOWORKER": WorkerNotFound,
    "SCHEMA": WrongSchema,
}
