"""The store in plain Python: what every verb shall answer, and what Redis shall hold after it.

It has the methods of `SessionStore` and of its queue, and shares none of their code but the values
they return, the errors they raise and the settings. Records that expire are left out: nothing
here lasts that long.
"""

from __future__ import annotations

import math
from typing import Any, Self

from sessions.errors import (
    AgentAlreadyThere,
    AtCapacity,
    InvalidInput,
    StaleEpoch,
    UserBusy,
)
from sessions.fleet import PreferredWorker
from sessions.ids import SessionId, UserId
from sessions.model import (
    Admission,
    AgentProcess,
    IdempotencyKey,
    Loss,
    Newcomer,
    Outcome,
    Place,
    Readiness,
    Reply,
    Session,
    Start,
    UserPolicy,
    Vitals,
)
from sessions.queue import Progress
from sessions.settings import LIVE_TTL_S
from sessions.states import TERMINAL, State
from tests.integration.sessions.books import BACKOFF_MS, Books, up_to

NO_AGENT: dict[str, Any] = {
    "worker_id": None,
    "agent_pid": None,
    "job_id": None,
    "prewarmed": None,
    "claimed_at_ms": None,
    "dispatched_at_ms": None,
    "agent_state": None,
    "pss_bytes": None,
}


class Model(Books):
    """What the store shall do. Set `now_ms`, then call it as the store is called."""

    @property
    def queue(self) -> Self:
        """The store has the verbs of the queue in a part of its own."""
        return self

    def admit(
        self,
        newcomer: Newcomer,
        *,
        policy: UserPolicy = UserPolicy.ALLOW,
        may_wait: bool = False,
        idempotency: IdempotencyKey | None = None,
    ) -> Admission:
        self._open()
        earlier = self._asked_before(newcomer.id, idempotency)
        if earlier is not None:
            return self._known_as(earlier, Outcome.KNOWN)
        other = self._live_of(newcomer.user_id, policy)
        if other is not None and policy is UserPolicy.REJECT:
            raise UserBusy(other)
        if other is not None and policy is UserPolicy.RESUME:
            if self.sessions[other].status is State.QUEUED and not may_wait:
                raise AtCapacity(str(self.limits.slots))
            self._set(other, secret_hash=newcomer.secret_hash)
            return self._known_as(other, Outcome.RESUMED)
        admitted = self._admit_waiting()
        other = self._live_of(newcomer.user_id, policy)
        has_slot, place = self._room_for(newcomer.user_id, other, may_wait=may_wait)
        if other is not None:
            self._release(other, State.ENDED, "replaced")
            admitted = tuple(id_ for id_ in admitted if id_ != other)
        self._enter(newcomer, idempotency)
        if has_slot:
            self._start(newcomer.id, self.now_ms + self.limits.claim, dispatched_at_ms=self.now_ms)
        else:
            self._wait(newcomer.id, place)
        return self._admission(
            newcomer.id, Outcome.NEW, changed=True, admitted=admitted, replaced=other
        )

    def dispatch(self, session_id: SessionId) -> Reply:
        self._open()
        self._holding(session_id, None)
        if self._dispatches.get(session_id, math.inf) > self.now_ms:
            return self._reply(session_id, changed=False)
        self._keep_slot(session_id, self.limits.start_lease)
        self._dispatches[session_id] = self.now_ms + self.limits.claim
        self._set(session_id, dispatched_at_ms=self.now_ms)
        return self._reply(session_id)

    def claim(self, session_id: SessionId, epoch: int, agent: AgentProcess) -> Reply:
        self._open()
        job = self._holding(session_id, epoch).job_id
        if job not in {None, agent.job_id}:
            raise AgentAlreadyThere(job)
        self._keep_slot(session_id, self.limits.lease)
        if job is not None:
            return self._reply(session_id, changed=False)
        self._set(
            session_id,
            worker_id=agent.worker_id,
            agent_pid=agent.pid,
            job_id=agent.job_id,
            prewarmed=agent.prewarmed,
            claimed_at_ms=self.now_ms,
        )
        del self._dispatches[session_id]
        counter = "total_assigned" if agent.prewarmed else "total_cold"
        self._pool[counter] = self._pool.get(counter, 0) + 1
        return self._reply(session_id)

    def renew(self, session_id: SessionId, epoch: int, vitals: Vitals | None = None) -> Reply:
        self._open()
        self._live(session_id, epoch, must_claim=True)
        self._keep_slot(session_id, self.limits.lease)
        if vitals is not None:
            self._set(session_id, agent_state=vitals.agent_state, pss_bytes=vitals.pss_bytes)
        return self._reply(session_id)

    def mark_ready(self, session_id: SessionId, epoch: int) -> Readiness:
        self._open()
        session = self._live(session_id, epoch, must_claim=True)
        if session.status in {State.READY, State.ACTIVE}:
            return self._readiness(session_id, changed=False)
        start = None
        if session.ready_at_ms is None:
            start = self._start_of(session)
            self._count_start(start.startup_ms)
            self._set(session_id, ready_at_ms=self.now_ms)
        is_there = session.joined_at_ms is not None
        self._move(session_id, State.ACTIVE if is_there else State.READY)
        return self._readiness(session_id, start=start)

    def _start_of(self, session: Session) -> Start:
        admitted_ms = session.admitted_at_ms or 0
        sent_ms = self.now_ms if session.dispatched_at_ms is None else session.dispatched_at_ms
        return Start(
            waited_ms=admitted_ms - session.created_at_ms,
            sent_ms=sent_ms - admitted_ms,
            sent_at_ms=sent_ms,
            startup_ms=self.now_ms - admitted_ms,
        )

    def _readiness(
        self, session_id: SessionId, *, changed: bool = True, start: Start | None = None
    ) -> Readiness:
        reply = self._reply(session_id, changed=changed)
        return Readiness(changed=reply.changed, status=reply.status, epoch=reply.epoch, start=start)

    def mark_joined(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        self._open()
        session = self._live(session_id, epoch)
        if session.joined_at_ms is None:
            self._set(session_id, joined_at_ms=self.now_ms)
        if session.status is State.QUEUED:
            self._tickets[session_id] = self.now_ms + LIVE_TTL_S * 1000
        if session.status is not State.READY:
            return self._reply(session_id, changed=False)
        self._move(session_id, State.ACTIVE)
        return self._reply(session_id)

    def end(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        return self._finish(session_id, State.ENDED, None, epoch)

    def cancel(self, session_id: SessionId) -> Reply:
        return self._finish(session_id, State.ENDED, None, None)

    def fail(
        self,
        session_id: SessionId,
        error: str,
        *,
        epoch: int | None = None,
        only_if_lapsed: bool = False,
    ) -> Reply:
        return self._finish(session_id, State.FAILED, error, epoch, only_if_lapsed=only_if_lapsed)

    def mark_closed(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        self._open()
        session = self._known(session_id)
        if session.status in TERMINAL:
            return self._reply(session_id, changed=False)
        if epoch not in {None, session.epoch}:
            raise StaleEpoch(str(session.epoch))
        admitted: tuple[SessionId, ...] = ()
        if session.status is not State.ENDING:
            self._release(session_id, State.ENDED, "room_closed")
            admitted = self._admit_waiting()
        if self.sessions[session_id].status is State.ENDING:
            self._move(session_id, self._outcomes[session_id])
        return self._reply(session_id, admitted=admitted)

    def suspects(self) -> list[SessionId]:
        self._open()
        confirmed = []
        for session_id in up_to(self.slots, self.as_of_ms):
            since = self._suspects.setdefault(session_id, self.now_ms)
            if since <= self.as_of_ms - self.limits.suspicion:
                confirmed.append(session_id)
        return confirmed

    def lose(
        self,
        session_id: SessionId,
        reason: str,
        *,
        epoch: int | None = None,
        is_certain: bool = False,
        is_planned: bool = False,
        delay_s: float = 0.0,
    ) -> Loss:
        if is_certain and epoch is None:
            raise InvalidInput("a certain loss is that of one epoch")
        self._open()
        session = self._holding(session_id, epoch)
        if not is_certain and not self._is_lost(session):
            return self._loss(session_id, changed=False)
        since = self.now_ms - self.limits.window
        recent = tuple(at for at in session.losses_ms if at > since)
        is_failure = not is_planned
        is_too_many = is_failure and len(recent) >= self.limits.losses
        if is_too_many or self._has_lost_slot(session_id):
            self._release(session_id, State.FAILED, reason)
            losses = len(recent) + is_failure
            return self._loss(session_id, losses=losses, admitted=self._admit_waiting())
        pause_ms = round(delay_s * 1000)
        if is_failure:
            recent += (self.now_ms,)
            if len(recent) > 1:
                pause_ms = max(pause_ms, BACKOFF_MS << (len(recent) - 2))
            if session.job_id is not None:
                self._set(session_id, ghost_job_id=session.job_id)
        self._ghosts[session_id] = self.now_ms
        self._dispatches[session_id] = self.now_ms + pause_ms
        self._set(session_id, epoch=session.epoch + 1, losses_ms=recent, **NO_AGENT)
        is_starting = session.status is State.STARTING
        self._move(session_id, State.STARTING if is_starting else State.RECOVERING, reason)
        self._hold(session_id, self.limits.start_lease)
        return self._loss(session_id, losses=len(recent))

    def touch(self, session_id: SessionId) -> Place:
        self._open()
        session = self._known(session_id)
        if session.status is not State.QUEUED:
            return Place(changed=False, status=session.status, epoch=session.epoch)
        self._keep_place(session_id)
        admitted = self._admit_waiting()
        session = self.sessions[session_id]
        position, eta_ms = self._place_of(session_id)
        return Place(
            changed=True,
            status=session.status,
            epoch=session.epoch,
            admitted=admitted,
            position=position,
            eta_ms=eta_ms,
        )

    def advance(self) -> Progress:
        self._open()
        expired = up_to(self._tickets, self.as_of_ms)
        for session_id in expired:
            self._release(session_id, State.EXPIRED)
        return Progress(admitted=self._admit_waiting(), expired=tuple(expired))

    @property
    def fleet(self) -> Self:
        """The store has what it knows of workers in a part of its own."""
        return self

    def preferred_worker(self, user_id: UserId) -> PreferredWorker | None:
        last = [self.sessions[id_].worker_id for id_ in self._of_user.get(user_id, [])[-5:]]
        found = next((worker for worker in reversed(last) if worker is not None), None)
        return None if found is None else PreferredWorker(id=found, listed=None)

    def due(self) -> list[SessionId]:
        return up_to(self._dispatches, self.now_ms)
