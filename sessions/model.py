"""What the store knows, as values. Times are milliseconds since 1970, by Redis's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sessions.ids import SessionId, UserId, WorkerId, room_name
from sessions.states import HOLDING, LIVE, OVER, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One read of a session's hash."""

    id: SessionId
    status: State
    #: None for a user without a name.
    user_id: UserId | None
    #: Identity of the user's participant in the room; empty while an adopted session has no user.
    identity: str
    epoch: int
    #: Counts the changes of this session.
    revision: int
    secret_hash: str = field(repr=False)
    #: Whom the user wanted to talk with; None where nobody was named.
    persona: str | None = None
    created_at_ms: int
    admitted_at_ms: int | None = None
    dispatched_at_ms: int | None = None
    worker_id: WorkerId | None = None
    agent_pid: int | None = None
    job_id: str | None = None
    prewarmed: bool | None = None
    agent_state: str | None = None
    pss_bytes: int | None = None
    claimed_at_ms: int | None = None
    ready_at_ms: int | None = None
    joined_at_ms: int | None = None
    ended_at_ms: int | None = None
    #: The job of the agent that was lost last, whose participant may be in the room still.
    ghost_job_id: str | None = None
    #: When its agents were lost, within the redispatch window.
    losses_ms: tuple[int, ...] = ()
    #: Whether its user wants the conversation to be remembered.
    is_remembered: bool = False
    #: Why it failed, in words for the user.
    error: str | None = None
    #: Why it ended, where that is known: replaced, forgotten, or what its agent said: time_limit, …
    reason: str | None = None
    #: The room of somebody else that it takes place in; None for one in a room of ours.
    foreign_room: str | None = None

    @property
    def room(self) -> str:
        return self.foreign_room or room_name(self.id)

    @property
    def log_fields(self) -> dict[str, str | int]:
        """How lines of a log say whom they are about. A room of somebody else's is not named."""
        fields: dict[str, str | int] = {"session_id": self.id, "epoch": self.epoch}
        if self.foreign_room is None:
            fields["room"] = self.room
        if self.job_id is not None and self.worker_id is not None:
            fields |= {"job_id": self.job_id, "worker_id": self.worker_id}
        return fields

    @property
    def startup_ms(self) -> int | None:
        """From the slot to the first agent that could be heard."""
        if self.ready_at_ms is None or self.admitted_at_ms is None:
            return None
        return self.ready_at_ms - self.admitted_at_ms

    @property
    def is_live(self) -> bool:
        """It waits, or holds a slot."""
        return self.status in LIVE

    @property
    def holds_slot(self) -> bool:
        return self.status in HOLDING

    @property
    def is_over(self) -> bool:
        return self.status in OVER


class UserPolicy(StrEnum):
    """What becomes of a user's live session when the same user starts another."""

    ALLOW = "allow"  # both go on
    RESUME = "resume"  # the live one is returned, and no other is started
    REPLACE = "replace"  # the live one ends; the new one gets its slot, or its place in line
    REJECT = "reject"  # the live one goes on; UserBusy


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What a session is admitted with."""

    id: SessionId
    #: None for a user without a name; a policy and limits for each user need one.
    user_id: UserId | None
    identity: str
    secret_hash: str = field(default="", repr=False)
    #: Whom the user wants to talk with; None is whoever is the worker's default.
    persona: str | None = None
    #: Whether the user wants the conversation to be remembered.
    is_remembered: bool = False
    #: False where anybody could have named the user: then no limit for each user applies.
    is_verified: bool = True
    #: Stands for the address that asks: 32 hexadecimal digits that only our servers can make. None
    #: for whoever has no limit of starts, neither a caller's nor that of all callers.
    caller: str | None = None
    #: As `Session.foreign_room`.
    foreign_room: str | None = None

    @property
    def room(self) -> str:
        return self.foreign_room or room_name(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What a client sent to have one session however often it asks.

    ``scope`` is who asks, so that nobody gets at another's session by guessing a key;
    ``fingerprint`` stands for what was asked.
    """

    key: str
    scope: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProcess:
    """The process that claims a session."""

    worker_id: WorkerId
    pid: int
    job_id: str
    #: True when the process was warm before the job came.
    prewarmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What an agent says of itself with its heartbeat."""

    agent_state: str
    #: Proportional set size: its share of the memory.
    pss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What every verb about one session answers."""

    #: Whether this very call changed anything. Repeating a step that is taken once does not.
    changed: bool
    status: State
    epoch: int
    #: Sessions that this call took from the queue: each needs an agent at once.
    admitted: tuple[SessionId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How long a session's first agent took, by Redis's clock."""

    #: In line.
    waited_ms: int
    #: From the slot to the sending for the agent, and to the moment when it could be heard.
    sent_ms: int
    startup_ms: int
    #: When it was sent for, in ms since 1970.
    sent_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Reply):
    """What becomes of a session whose agent can be heard."""

    #: With the first agent, the first time it is told.
    start: Start | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Reply):
    """A place in the queue; without one, the session does not wait any more."""

    #: Counted from 1.
    position: int | None = None
    #: Estimated from how long recent sessions held their slot; None while there were none.
    eta_ms: int | None = None


class Outcome(StrEnum):
    NEW = "new"
    KNOWN = "known"  # the same id, or the same idempotency key, was admitted before
    RESUMED = "resumed"  # the user's live session


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Place):
    """What became of a request for a session."""

    outcome: Outcome
    #: The new session, or the one that is there already.
    session_id: SessionId
    #: The user's former session, which ended; its room is to be closed.
    replaced: SessionId | None = None


class LossCause(StrEnum):
    """Why an agent was written off."""

    CRASHED = "crashed"  # its process died
    LAPSED = "lapsed"  # nothing was heard of it for as long as its lease
    NO_AGENT = "no_agent"  # nobody came
    NOT_SENT = "not_sent"  # LiveKit could not be asked for one
    NO_WORKER = "no_worker"  # it was sent while no worker was there
    HANDED_OVER = "handed_over"  # its worker is about to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Reply):
    """What became of a session whose agent was written off."""

    #: How many agents it has lost within the window, this one included.
    losses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """How many sessions there are, by state, and how fast the last ones started."""

    queued: int
    starting: int
    ready: int
    active: int
    recovering: int
    capacity: int
    startup_p50_ms: int | None
    startup_p95_ms: int | None

    @property
    def taken(self) -> int:
        return self.starting + self.ready + self.active + self.recovering
