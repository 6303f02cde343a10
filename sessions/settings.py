"""Where the store is and what it allows; the same for every service."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sessions.address import parse_address

#: Version of the keys and their contents. A higher one means that older code cannot read them:
#: see docs/store.md, "Changing the schema".
SCHEMA = 2

#: A live session's keys outlast its lease by far; renewing the lease renews them.
LIVE_TTL_S = 24 * 3600
#: How many start latencies the percentiles are taken over.
STARTUPS_KEPT = 500
#: What is counted for each of so many minutes, in the order in which it is kept; then come first
#: starts by how long they took, up to each of these edges.
MINUTES_KEPT = 120
#: Longer than the error budget looks back (budget.py).
_HOURS_KEPT = 31 * 24
COUNTED = ("admitted", "ready", "failed", "ended", "expired")
STARTUP_EDGES_MS = (250, 500, 1000, 2000, 5000, 10_000)
#: For so long it is known how many came in each second (lua/include/arrivals.lua).
SECONDS_KEPT = 3600
#: The deadline of a claim is learnt from so many, each time that so many more have come.
_CLAIMS_KEPT = 200
_CLAIMS_PER_LOOK = 10
#: LiveKit gives up an assignment after 3 s, and tells nobody: sooner there is nothing to see.
_SOONEST_CLAIM_S = 4.0
#: The second agent that is sent in place of lost ones within a while waits so long, the next twice.
_BACKOFF_S = 1.0
#: A supervisor leads for so long without a word, at most.
MOST_OFFICE_S = 60.0
#: How many changes a session remembers of itself.
EVENTS_KEPT = 64
#: How many changes of all sessions can be followed late; about.
_STREAM_KEPT = 4000
_LOG_LINES_KEPT = 200
_TURNS_KEPT = 200
#: The parts of how many agents a session's record has.
_PARTS_KEPT = 8
#: How much the newest session counts in the mean time that a slot is held.
_LENGTH_WEIGHT = 0.1
#: A slot that came free admits one; after an outage there may be more, and the next call goes on.
_ADMITTED_AT_ONCE = 16
#: Lapsed tickets in front of them are dropped meanwhile.
_LOOKED_AT_ONCE = 100
#: Shown to the user of a session that came back too late.
_SLOT_LOST = "The agent was silent for too long, and its place was given away. Please start again."
#: How exactly the store knows when it was last written to.
_PULSE_MS = 100
#: How often the TTL of what all sessions share is renewed.
_TICK_MS = 1_000
#: A lease may miss a beat; a gap of a third of it in all writes means that Redis was away.
_GAP_PER_LEASE = 1 / 3
#: Redis that comes and goes keeps leases from being judged for so many leases at most.
_MOST_LEASES_OF_MERCY = 10
#: Limits that nobody sets.
_FIXED: Mapping[str, str | float | bool] = {
    "startupsKept": STARTUPS_KEPT,
    "minutesKept": MINUTES_KEPT,
    "secondsKept": SECONDS_KEPT,
    "hoursKept": _HOURS_KEPT,
    "countsOfMinute": len(COUNTED) + len(STARTUP_EDGES_MS) + 1,
    "startupEdgesMs": " ".join(map(str, STARTUP_EDGES_MS)),
    "claimsKept": _CLAIMS_KEPT,
    "claimsPerLook": _CLAIMS_PER_LOOK,
    "soonestClaimMs": round(_SOONEST_CLAIM_S * 1000),
    "backoffMs": round(_BACKOFF_S * 1000),
    "mostOfficeMs": round(MOST_OFFICE_S * 1000),
    "eventsKept": EVENTS_KEPT,
    "streamKept": _STREAM_KEPT,
    "logLinesKept": _LOG_LINES_KEPT,
    "turnsKept": _TURNS_KEPT,
    "partsKept": _PARTS_KEPT,
    "lengthWeight": _LENGTH_WEIGHT,
    "admitBatch": _ADMITTED_AT_ONCE,
    "lookedAt": _LOOKED_AT_ONCE,
    "pulseMs": _PULSE_MS,
    "tickMs": _TICK_MS,
}


class Transcripts(StrEnum):
    """How long the words of a conversation are kept."""

    HISTORY = "history"  # as long as the record of the session
    LIVE = "live"  # until the session is over, so that another agent can take over
    OFF = "off"  # never; a replacement agent starts from nothing


class StoreSettings(BaseSettings):
    """Settings of the session store, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Where the sessions are kept: `redis://`, `rediss://` for TLS, "
        "`redis+sentinel://`, `redis+cluster://` (docs/redis.md). May hold a password.",
    )
    redis_prefix: str = Field(
        "vf",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="First part of every key, to share a Redis with others.",
    )
    max_sessions: int = Field(
        50,
        ge=1,
        le=100_000,
        description="How many sessions may hold a slot at the same time. No more than all workers "
        "together take (`WORKER_CAPACITY`): the rest would wait in vain.",
    )
    queue_limit: int = Field(
        100, ge=0, le=100_000, description="How many users may wait for a slot; 0: none."
    )
    user_queue_limit: int = Field(
        1,
        ge=1,
        le=20,
        description="How many places in line one user may have, who is known by token or named "
        "with an admin key.",
    )
    ticket_ttl_s: float = Field(
        15.0,
        ge=0.1,
        le=600,
        description="A waiting user who does not ask for so long loses the place in line.",
    )
    start_limit_per_minute: int = Field(
        10,
        ge=1,
        le=100_000,
        description="How many sessions one address may start a minute, over the API or by joining "
        "with a standard token.",
    )
    all_starts_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="How many sessions all addresses together may start a minute; who has an admin "
        "key is not among them.",
    )
    user_starts_per_minute: int = Field(
        10,
        ge=0,
        le=10_000,
        description="How many sessions one user may start a minute, who is known by token or named "
        "with an admin key; 0: any.",
    )
    start_lease_s: float = Field(
        30.0, ge=0.1, le=600, description="How long a slot is held for an agent that was sent for."
    )
    claim_deadline_s: float = Field(
        10.0,
        ge=3,
        le=60,
        description="After this, an agent that was sent for and did not come counts as lost. "
        "LiveKit is asked sooner whether any worker took the job: after 4 s, or three times what "
        "99 of 100 took in this fleet, which learns how fast its agents come.",
    )
    agent_lease_s: float = Field(
        6.0,
        ge=0.1,
        le=600,
        description="How long a session outlives the last heartbeat of its agent.",
    )
    suspicion_s: float = Field(
        0.5,
        ge=0,
        le=60,
        description="How long an agent is only suspected after its lease has lapsed, before it is "
        "lost.",
    )
    slot_grace_s: float = Field(
        30.0,
        ge=0,
        le=600,
        description="How long after its lease a session keeps its slot, so that another agent can "
        "be sent. After that the slot heals by itself.",
    )
    redispatch_limit: int = Field(
        3, ge=0, le=10, description="How many agents are sent in place of lost ones within a while."
    )
    redispatch_window_s: int = Field(
        600,
        ge=1,
        le=86_400,
        description="How long a loss counts for `REDISPATCH_LIMIT`. One more than that, and the "
        "session fails.",
    )
    worker_capacity: int = Field(
        50,
        ge=1,
        le=1000,
        description="How many calls a worker takes at the same time. Token servers go by it only "
        "while they know no worker.",
    )
    worker_lease_s: float = Field(
        6.0, ge=0.1, le=600, description="How long a worker outlives its last heartbeat."
    )
    affinity: bool = Field(
        True,
        description="Whether a known user who comes back is given the worker they had, if it has a "
        "place.",
    )
    history_ttl_s: int = Field(
        3600,
        ge=1,
        le=2_592_000,
        description="How long the record of an ended session is kept. It outlasts every token of "
        "the session, which would begin it anew: at least 660, and `TOKEN_TTL_S` and a minute.",
    )
    idempotency_ttl_s: int = Field(
        3600, ge=1, le=86_400, description="How long an idempotency key leads to its session."
    )
    transcripts: Transcripts = Field(
        Transcripts.HISTORY,
        description="How long the words of a conversation are kept: `history` as long as the "
        "record, `live` until the session is over, `off` never.",
    )
    memory_turns: int = Field(
        40, ge=1, le=200, description="How many turns are kept for a user who wants that."
    )
    memory_bytes: int = Field(
        16_384, ge=256, le=1_048_576, description="How many bytes they may have."
    )
    memory_ttl_s: int = Field(
        2_592_000, ge=1, le=31_536_000, description="How long they are kept after the last session."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        parse_address(url.get_secret_value())
        return url

    def limits(self) -> Mapping[str, str | float | bool]:
        """Return what the scripts are told. Times in ms, but for TTLs of keys, in s."""
        return {
            "schema": str(SCHEMA),
            "maxSessions": self.max_sessions,
            "queueLimit": self.queue_limit,
            "userQueueLimit": self.user_queue_limit,
            "ticketTtlMs": milliseconds(self.ticket_ttl_s),
            "callerStartsPerMinute": self.start_limit_per_minute,
            "allStartsPerMinute": self.all_starts_per_minute,
            "userStartsPerMinute": self.user_starts_per_minute,
            "startLeaseMs": milliseconds(self.start_lease_s),
            "claimMs": milliseconds(self.claim_deadline_s),
            "agentLeaseMs": milliseconds(self.agent_lease_s),
            "gapMs": milliseconds(self.agent_lease_s * _GAP_PER_LEASE),
            "mostMercyMs": milliseconds(self.agent_lease_s * _MOST_LEASES_OF_MERCY),
            "suspicionMs": milliseconds(self.suspicion_s),
            "slotLost": _SLOT_LOST,
            "slotGraceMs": milliseconds(self.slot_grace_s),
            "redispatchLimit": self.redispatch_limit,
            "redispatchWindowMs": milliseconds(self.redispatch_window_s),
            "workerLeaseMs": milliseconds(self.worker_lease_s),
            "liveTtlS": LIVE_TTL_S,
            "historyTtlS": self.history_ttl_s,
            "idempotencyTtlS": self.idempotency_ttl_s,
            "keepTranscripts": self.transcripts is Transcripts.HISTORY,
            "memoryTurns": self.memory_turns,
            "memoryBytes": self.memory_bytes,
            "memoryTtlS": self.memory_ttl_s,
            **_FIXED,
        }


def milliseconds(seconds: float) -> int:
    """Return a time in whole ms, as the scripts count it."""
    return round(seconds * 1000)


def explain(service: str, error: ValidationError) -> str:
    """Say which variables are wrong or missing and why, without showing any value."""
    lines = [
        f"  {'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "\n".join([f"{service} cannot start with these settings:", *lines, ""])
