"""A session as the store knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sessions.ids import SessionId, UserId, WorkerId
from sessions.states import LIVE, TERMINAL, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One read of a session's hash. Times are milliseconds since 1970, by Redis's clock."""

    id: SessionId
    status: State
    user_id: UserId
    identity: str
    room: str
    epoch: int
    secret_hash: str
    created_at_ms: int
    worker_id: WorkerId | None = None
    agent_pid: int | None = None
    job_id: str | None = None
    prewarmed: bool | None = None
    claimed_at_ms: int | None = None
    ready_at_ms: int | None = None
    joined_at_ms: int | None = None
    ended_at_ms: int | None = None
    startup_ms: int | None = None
    error: str | None = None

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @classmethod
    def from_hash(cls, session_id: SessionId, fields: dict[str, str]) -> Self:
        """Build a session from the fields of its Redis hash."""

        def number(name: str) -> int | None:
            return int(fields[name]) if name in fields else None

        worker_id = fields.get("workerId")
        return cls(
            id=session_id,
            status=State(fields["status"]),
            user_id=UserId(fields["userId"]),
            identity=fields["identity"],
            room=fields["room"],
            epoch=int(fields["epoch"]),
            secret_hash=fields.get("secretHash", ""),
            created_at_ms=int(fields["createdAt"]),
            worker_id=None if worker_id is None else WorkerId(worker_id),
            agent_pid=number("agentPid"),
            job_id=fields.get("jobId"),
            prewarmed=None if "prewarmed" not in fields else fields["prewarmed"] == "1",
            claimed_at_ms=number("claimedAt"),
            ready_at_ms=number("readyAt"),
            joined_at_ms=number("joinedAt"),
            ended_at_ms=number("endedAt"),
            startup_ms=number("startupMs"),
            error=fields.get("error"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """What a session is admitted with."""

    id: SessionId
    user_id: UserId
    identity: str
    room: str
    secret_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProcess:
    """The process that claims a session."""

    worker_id: WorkerId
    pid: int
    job_id: str
    #: True when the process was warm before the job came.
    prewarmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """How many sessions there are, by state, and how fast the last ones started."""

    starting: int
    ready: int
    active: int
    capacity: int
    startup_p50_ms: int | None
    startup_p95_ms: int | None

    @property
    def taken(self) -> int:
        return self.starting + self.ready + self.active
