"""What the model of the store keeps, and how it changes: all that its verbs share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Self

from sessions.errors import (
    AtCapacity,
    IdempotencyConflict,
    NotClaimed,
    QueueFull,
    SessionNotFound,
    SessionOver,
    StaleEpoch,
    StillWaiting,
    UserBusy,
)
from sessions.ids import SessionId, UserId
from sessions.journal import Event
from sessions.model import (
    Admission,
    IdempotencyKey,
    Loss,
    Newcomer,
    Outcome,
    Reply,
    Session,
    UserPolicy,
)
from sessions.settings import StoreSettings
from sessions.states import LIVE, OVER, State
from tests.integration.sessions.observe import Picture

PULSE_MS = 100
SLOT_LOST = "The agent was silent for too long, and its place was given away. Please start again."
#: Outages that follow each other are one, for so many leases.
MERCY_LEASES = 10
#: So many of the last sessions of a user are looked at.
RECENT = 20
LENGTH_WEIGHT = 0.1
BACKOFF_MS = 1_000
#: The places of what is counted in a minute; first starts by how long they took come after these.
PLACES = {"admitted": 0, "ready": 1, "failed": 2, "ended": 3, "expired": 4}
EDGES_MS = (250, 500, 1_000, 2_000, 5_000, 10_000)
#: What is counted by the hour, too.
HOURLY = ("ready", "failed")


@dataclass(frozen=True)
class Limits:
    """The settings that matter here, times in ms."""

    slots: int
    queue: int
    places: int
    ticket: int
    start_lease: int
    claim: int
    lease: int
    suspicion: int
    grace: int
    losses: int
    window: int

    @classmethod
    def of(cls, settings: StoreSettings) -> Self:
        return cls(
            slots=settings.max_sessions,
            queue=settings.queue_limit,
            places=settings.user_queue_limit,
            ticket=round(settings.ticket_ttl_s * 1000),
            start_lease=round(settings.start_lease_s * 1000),
            claim=round(settings.claim_deadline_s * 1000),
            lease=round(settings.agent_lease_s * 1000),
            suspicion=round(settings.suspicion_s * 1000),
            grace=round(settings.slot_grace_s * 1000),
            losses=settings.redispatch_limit,
            window=settings.redispatch_window_s * 1000,
        )


class Books:
    """Sessions, who holds a slot until when, who waits, and how these change."""

    def __init__(self, settings: StoreSettings, now_ms: int) -> None:
        self.limits = Limits.of(settings)
        self.now_ms = now_ms
        #: The moment by which the last call judged leases.
        self.as_of_ms = now_ms
        self.sessions: dict[SessionId, Session] = {}
        self.events: dict[SessionId, list[Event]] = {}
        self.slots: dict[SessionId, int] = {}
        self._suspects: dict[SessionId, int] = {}
        self._tickets: dict[SessionId, int] = {}
        self._dispatches: dict[SessionId, int] = {}
        self._ghosts: dict[SessionId, int] = {}
        self._line: dict[SessionId, int] = {}
        self._outcomes: dict[SessionId, State] = {}
        self._of_user: dict[UserId | None, list[SessionId]] = {}
        self._asked: dict[tuple[str, str], tuple[SessionId, str]] = {}
        self._startups: list[int] = []
        self._minutes: dict[int, list[int]] = {}
        self._hours: dict[int, list[int]] = {}
        self._pool: dict[str, int] = {}
        self._last_ticket = 0
        self._mean_held: float | None = None
        self._pulse = self._outage = self._back = self._mercy = 0

    def picture(self) -> Picture:
        return Picture(
            sessions=dict(self.sessions),
            slots=dict(self.slots),
            suspects=dict(self._suspects),
            tickets=dict(self._tickets),
            dispatches=dict(self._dispatches),
            ghosts=dict(self._ghosts),
            line=dict(self._line),
            startups=tuple(self._startups),
            minutes={minute: tuple(counts) for minute, counts in self._minutes.items()},
            hours={hour: tuple(counts) for hour, counts in self._hours.items()},
            pool=dict(self._pool),
            indexes={state: self._in(state) for state in State},
        )

    @property
    def waiting(self) -> list[SessionId]:
        """Who waits, the first in line first."""
        return sorted(self._line, key=self._line.__getitem__)

    def free_slots(self) -> int:
        since = self.as_of_ms - self.limits.grace
        return self.limits.slots - sum(lapse > since for lapse in self.slots.values())

    # Rules.

    def _open(self) -> None:
        """Judge leases as of now, or of when Redis was last written to before an outage."""
        now, lease = self.now_ms, self.limits.lease
        is_merciful = now < self._mercy <= now + lease
        if 0 < self._pulse < now - round(lease / 3):
            if not is_merciful:
                self._outage, self._back = self._pulse, now
            if now < self._back + MERCY_LEASES * lease:
                self._mercy, is_merciful = now + lease, True
        self.as_of_ms = min(now, self._outage) if is_merciful else now
        if now - self._pulse >= PULSE_MS:
            self._pulse = now

    def _count(self, name: str) -> list[int]:
        """Count one more of these; return all that is counted in this minute."""
        empty = [0] * (len(PLACES) + len(EDGES_MS) + 1)
        counts = self._minutes.setdefault(self.now_ms // 60_000, empty)
        counts[PLACES[name]] += 1
        if name in HOURLY:
            self._hours.setdefault(self.now_ms // 3_600_000, [0, 0])[HOURLY.index(name)] += 1
        return counts

    def _count_start(self, took_ms: int) -> None:
        self._startups.insert(0, took_ms)
        edge = next((at for at, edge in enumerate(EDGES_MS) if took_ms <= edge), len(EDGES_MS))
        self._count("ready")[len(PLACES) + edge] += 1

    def _known(self, session_id: SessionId) -> Session:
        if session_id not in self.sessions:
            raise SessionNotFound(session_id)
        return self.sessions[session_id]

    def _live(
        self, session_id: SessionId, epoch: int | None, *, must_claim: bool = False
    ) -> Session:
        session = self._known(session_id)
        if session.status in OVER:
            raise SessionOver(session.status)
        if epoch not in {None, session.epoch}:
            raise StaleEpoch(str(session.epoch))
        if must_claim and session.job_id is None:
            raise NotClaimed(session.status)
        return session

    def _holding(self, session_id: SessionId, epoch: int | None) -> Session:
        session = self._live(session_id, epoch)
        if session.status is State.QUEUED:
            raise StillWaiting(session_id)
        return session

    def _is_lost(self, session: Session) -> bool:
        """Say whether an agent may be written off by somebody who does not know."""
        if session.job_id is None:
            is_due = self._dispatches[session.id] <= self.as_of_ms
            return session.dispatched_at_ms is not None and is_due
        suspected_ms = self._suspects.get(session.id, self.now_ms)
        is_suspect = suspected_ms <= self.as_of_ms - self.limits.suspicion
        return self.slots[session.id] <= self.as_of_ms and is_suspect

    def _asked_before(
        self, session_id: SessionId, idempotency: IdempotencyKey | None
    ) -> SessionId | None:
        if idempotency is not None:
            key = (idempotency.scope, idempotency.key)
            earlier, fingerprint = self._asked.get(key, (None, ""))
            if earlier is not None and fingerprint != idempotency.fingerprint:
                raise IdempotencyConflict(earlier)
            if earlier is not None:
                return earlier
        return session_id if session_id in self.sessions else None

    def _live_of(self, user_id: UserId | None, policy: UserPolicy) -> SessionId | None:
        if user_id is None or policy is UserPolicy.ALLOW:
            return None
        recent = reversed(self._of_user.get(user_id, [])[-RECENT:])
        return next((id_ for id_ in recent if self.sessions[id_].status in LIVE), None)

    def _room_for(
        self, user_id: UserId | None, other: SessionId | None, *, may_wait: bool
    ) -> tuple[bool, int | None]:
        """Say whether a newcomer gets a slot, and if not, which place it takes over."""
        healed_at = self.as_of_ms - self.limits.grace
        if other is not None and self.slots.get(other, healed_at) > healed_at:
            return True, None
        if not self._line and self.free_slots() > 0:
            return True, None
        if not may_wait:
            raise AtCapacity(str(self.limits.slots))
        if other in self._line:
            return False, self._line[other]
        waiting = sum(lapse > self.as_of_ms for lapse in self._tickets.values())
        if waiting >= self.limits.queue:
            raise QueueFull(str(waiting))
        recent = self._of_user.get(user_id, [])[-RECENT:]
        places = [id_ for id_ in recent if id_ in self._line]
        if len(places) >= self.limits.places:
            raise UserBusy(places[self.limits.places - 1])
        return False, None

    def _keep_place(self, session_id: SessionId) -> None:
        if self.sessions[session_id].joined_at_ms is None:
            self._tickets[session_id] = self.now_ms + self.limits.ticket

    def _enter(self, newcomer: Newcomer, idempotency: IdempotencyKey | None) -> None:
        self.sessions[newcomer.id] = Session(
            id=newcomer.id,
            status=State.QUEUED,
            user_id=newcomer.user_id,
            identity=newcomer.identity,
            epoch=1,
            revision=0,
            secret_hash=newcomer.secret_hash,
            created_at_ms=self.now_ms,
        )
        self.events[newcomer.id] = []
        if newcomer.user_id is not None:
            self._of_user.setdefault(newcomer.user_id, []).append(newcomer.id)
        if idempotency is not None:
            key = (idempotency.scope, idempotency.key)
            self._asked[key] = (newcomer.id, idempotency.fingerprint)

    def _wait(self, session_id: SessionId, place: int | None) -> None:
        if place is None:
            self._last_ticket += 1
        self._move(session_id, State.QUEUED)
        self._line[session_id] = self._last_ticket if place is None else place
        self._keep_place(session_id)

    def _start(self, session_id: SessionId, due_ms: int, **fields: Any) -> None:  # noqa: ANN401 - fields of a Session
        self._dispatches[session_id] = due_ms
        self._move(session_id, State.STARTING, admitted_at_ms=self.now_ms, **fields)
        self._hold(session_id, self.limits.start_lease)
        self._count("admitted")

    def _hold(self, session_id: SessionId, for_ms: int) -> None:
        self.slots[session_id] = self.now_ms + for_ms
        self._suspects.pop(session_id, None)

    def _has_lost_slot(self, session_id: SessionId) -> bool:
        """Say whether a slot has healed and been given away."""
        healed_at = self.as_of_ms - self.limits.grace
        return self.slots[session_id] <= healed_at and self.free_slots() <= 0

    def _keep_slot(self, session_id: SessionId, for_ms: int) -> None:
        if self._has_lost_slot(session_id):
            self._release(session_id, State.FAILED, SLOT_LOST)
            raise SessionOver(State.ENDING)
        self._hold(session_id, for_ms)

    def _admit_waiting(self) -> tuple[SessionId, ...]:
        admitted = []
        while self._line:
            first = self.waiting[0]
            if self._tickets[first] <= self.as_of_ms:
                self._release(first, State.EXPIRED)
            elif self.free_slots() > 0:
                del self._tickets[first]
                self._start(first, self.now_ms)
                admitted.append(first)
            else:
                break
        return tuple(admitted)

    def _finish(
        self,
        session_id: SessionId,
        outcome: State,
        error: str | None,
        epoch: int | None,
        *,
        only_if_lapsed: bool = False,
    ) -> Reply:
        self._open()
        if self._known(session_id).status in OVER:
            return self._reply(session_id, changed=False)
        self._live(session_id, epoch)
        if only_if_lapsed and self.slots.get(session_id, math.inf) > self.as_of_ms:
            return self._reply(session_id, changed=False)
        self._release(session_id, outcome, error)
        return self._reply(session_id, admitted=self._admit_waiting())

    def _release(self, session_id: SessionId, outcome: State, why: str | None = None) -> None:
        session = self.sessions[session_id]
        lists = (self.slots, self._dispatches, self._suspects, self._tickets, self._ghosts)
        for waiting in lists:
            waiting.pop(session_id, None)
        if session.admitted_at_ms is not None:
            held, mean = self.now_ms - session.admitted_at_ms, self._mean_held
            self._mean_held = held if mean is None else mean + (held - mean) * LENGTH_WEIGHT
        self._outcomes[session_id] = outcome
        self._count(outcome.value)
        is_empty = session.status is State.QUEUED and session.joined_at_ms is None
        named = {"error" if outcome is State.FAILED else "reason": why}
        self._set(session_id, ended_at_ms=self.now_ms, **named)
        self._move(session_id, outcome if is_empty else State.ENDING, why)

    def _set(self, session_id: SessionId, **fields: Any) -> None:  # noqa: ANN401 - fields of a Session
        self.sessions[session_id] = replace(self.sessions[session_id], **fields)

    def _move(
        self,
        session_id: SessionId,
        to: State,
        detail: str | None = None,
        **fields: Any,  # noqa: ANN401 - fields of a Session
    ) -> None:
        self._line.pop(session_id, None)
        revision = self.sessions[session_id].revision + 1
        self._set(session_id, status=to, revision=revision, **fields)
        event = Event(
            revision=revision,
            at_ms=self.now_ms,
            status=to,
            epoch=self.sessions[session_id].epoch,
            detail=detail,
        )
        self.events[session_id].append(event)

    def _in(self, state: State) -> frozenset[SessionId]:
        return frozenset(id_ for id_, session in self.sessions.items() if session.status is state)

    def _place_of(self, session_id: SessionId) -> tuple[int | None, int | None]:
        place, mean = self._line.get(session_id), self._mean_held
        if place is None:
            return None, None
        position = sum(other <= place for other in self._line.values())
        eta = None if mean is None else math.ceil(position * mean / self.limits.slots)
        return position, eta

    def _reply(
        self,
        session_id: SessionId,
        *,
        changed: bool = True,
        admitted: tuple[SessionId, ...] = (),
    ) -> Reply:
        session = self.sessions[session_id]
        return Reply(changed=changed, status=session.status, epoch=session.epoch, admitted=admitted)

    def _loss(
        self,
        session_id: SessionId,
        *,
        changed: bool = True,
        losses: int = 0,
        admitted: tuple[SessionId, ...] = (),
    ) -> Loss:
        session = self.sessions[session_id]
        return Loss(
            changed=changed,
            status=session.status,
            epoch=session.epoch,
            losses=losses,
            admitted=admitted,
        )

    def _known_as(self, session_id: SessionId, outcome: Outcome) -> Admission:
        """Whoever asks again keeps the place in line."""
        if session_id in self._line:
            self._keep_place(session_id)
        return self._admission(session_id, outcome)

    def _admission(
        self,
        session_id: SessionId,
        outcome: Outcome,
        *,
        changed: bool = False,
        admitted: tuple[SessionId, ...] = (),
        replaced: SessionId | None = None,
    ) -> Admission:
        session, (position, eta_ms) = self.sessions[session_id], self._place_of(session_id)
        return Admission(
            changed=changed,
            status=session.status,
            epoch=session.epoch,
            admitted=admitted,
            position=position,
            eta_ms=eta_ms,
            outcome=outcome,
            session_id=session_id,
            replaced=replaced,
        )


def up_to(scores: dict[SessionId, int], moment_ms: int) -> list[SessionId]:
    """Return the ids up to a moment in the order of a sorted set."""
    ordered = sorted((score, session_id) for session_id, score in scores.items())
    return [session_id for score, session_id in ordered if score <= moment_ms]
