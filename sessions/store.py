"""SessionStore: the life of a session, as verbs. Each is one atomic step in Redis."""

from __future__ import annotations

from typing import Literal

from sessions.batch import Client
from sessions.codec import (
    idempotency_fields,
    newcomer_fields,
    to_admission,
    to_loss,
    to_readiness,
    to_reply,
    to_session,
)
from sessions.conversations import Conversations
from sessions.engine import Engine, Fence, OnStep
from sessions.errors import InvalidInput, SessionNotFound
from sessions.fleet import Fleet
from sessions.ghosts import Ghosts
from sessions.ids import SessionId, checked_caller, checked_worker_id, user_digest
from sessions.journal import Journal
from sessions.model import (
    Admission,
    AgentProcess,
    IdempotencyKey,
    Loss,
    LossCause,
    Newcomer,
    Occupancy,
    Readiness,
    Reply,
    Session,
    UserPolicy,
    Vitals,
)
from sessions.office import Office
from sessions.queue import Queue
from sessions.records import Records
from sessions.scripts import translated_errors
from sessions.settings import StoreSettings, milliseconds
from sessions.text import clean
from sessions.views import Views

_MAX_ERROR_CHARS = 500
_MAX_REASON_CHARS = 64
#: How many suspects one pass looks at.
_SUSPECTS_PER_PASS = 100


class SessionStore:
    """All that is known about sessions, in Redis. Every method may raise StoreUnavailable,
    WrongSchema, and InvalidInput for an id that cannot be one.

    Calls may be repeated: where the answer to one was lost, the same call once more does no harm.
    """

    def __init__(
        self,
        redis: Client,
        settings: StoreSettings,
        *,
        now_ms: int | None = None,
        fence: Fence | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        self._engine = Engine(redis, settings, now_ms=now_ms, fence=fence, on_step=on_step)
        self.settings = settings
        self.queue = Queue(self._engine)
        self.fleet = Fleet(self._engine)
        self.journal = Journal(self._engine)
        self.conversations = Conversations(self._engine)
        self.records = Records(self._engine)
        self.ghosts = Ghosts(self._engine)
        self.office = Office(self._engine)
        self.views = Views(self._engine, self.fleet)

    @property
    def now_ms(self) -> int | None:
        """The time that tests pass; None is the clock of Redis."""
        return self._engine.now_ms

    @now_ms.setter
    def now_ms(self, now_ms: int | None) -> None:
        self._engine.now_ms = now_ms

    async def admit(
        self,
        newcomer: Newcomer,
        *,
        policy: UserPolicy = UserPolicy.ALLOW,
        may_wait: bool = False,
        idempotency: IdempotencyKey | None = None,
    ) -> Admission:
        """Give a session a slot, or with `may_wait` a place in the queue.

        A session that got a slot needs its agent at once: the caller sends it within
        `claim_deadline_s`. Admitting the same id again changes nothing. Raises AtCapacity,
        QueueFull, UserBusy, RateLimited, IdempotencyConflict.
        """
        known = idempotency_fields(idempotency)
        fields = newcomer_fields(newcomer)
        fields += [] if known is None else ["idempotency", known["key"]]
        user_id = newcomer.user_id
        answer = await self._engine.run_for(
            "admit",
            newcomer.id,
            fields=fields,
            secretHash=clean(newcomer.secret_hash, 128),
            user=None if user_id is None else user_digest(user_id),
            isUnverified=None if newcomer.is_verified else True,
            caller=None if newcomer.caller is None else checked_caller(newcomer.caller),
            policy=policy,
            mayWait=may_wait,
            idempotency=known,
        )
        return to_admission(answer)

    def fenced(self, fence: Fence) -> SessionStore:
        """Return the same store for a leader, whose every verb is refused once another one leads.

        Every method of it may raise Deposed, too.
        """
        engine = self._engine
        return SessionStore(
            engine.redis, self.settings, now_ms=self.now_ms, fence=fence, on_step=engine.on_step
        )

    async def dispatch(self, session_id: SessionId) -> Reply:
        """Take over the duty to send an agent that is due; `changed` says whether you got it.

        The agent is sent under the epoch returned. Raises SessionNotFound, SessionOver.
        """
        return to_reply(await self._engine.run_for("dispatch", session_id))

    async def claim(self, session_id: SessionId, epoch: int, agent: AgentProcess) -> Reply:
        """Take the session for one agent process; its lease starts here.

        Claiming twice for the same job changes nothing. Raises SessionNotFound, SessionOver,
        StillWaiting, StaleEpoch, AgentAlreadyThere.
        """
        answer = await self._engine.run_for(
            "claim",
            session_id,
            epoch=epoch,
            workerId=checked_worker_id(agent.worker_id),
            agentPid=agent.pid,
            jobId=clean(agent.job_id, 64),
            prewarmed=int(agent.prewarmed),
        )
        return to_reply(answer)

    async def renew(self, session_id: SessionId, epoch: int, vitals: Vitals | None = None) -> Reply:
        """Prolong the agent's lease.

        Raises SessionNotFound, SessionOver, StaleEpoch, NotClaimed.
        """
        fields = None
        if vitals is not None:
            fields = ["agentState", clean(vitals.agent_state, 32), "pssBytes", vitals.pss_bytes]
        return to_reply(await self._engine.run_for("renew", session_id, epoch=epoch, fields=fields))

    async def mark_ready(self, session_id: SessionId, epoch: int) -> Readiness:
        """Record that the agent can be heard. Raises as `renew`."""
        return to_readiness(await self._engine.run_for("ready", session_id, epoch=epoch))

    async def mark_joined(
        self, session_id: SessionId, *, epoch: int | None = None, identity: str | None = None
    ) -> Reply:
        """Record that the user is in the room; an agent passes its epoch.

        With `identity` a session that had none learns whom it is for. Raises SessionNotFound,
        SessionOver, StaleEpoch.
        """
        known = None if identity is None else clean(identity, 128)
        return to_reply(await self._engine.run_for("join", session_id, epoch=epoch, identity=known))

    async def end(
        self, session_id: SessionId, *, epoch: int | None = None, reason: str | None = None
    ) -> Reply:
        """End a session and free its slot, or its place; an agent passes its epoch, and why.

        It is `ending` until `mark_closed`, unless nobody can be in its room. Ending a session that
        is over changes nothing. Raises SessionNotFound, StaleEpoch.
        """
        return await self._finish(session_id, "ended", reason=reason, epoch=epoch)

    async def fail(
        self,
        session_id: SessionId,
        error: str,
        *,
        epoch: int | None = None,
        only_if_lapsed: bool = False,
        is_undone: bool = False,
    ) -> Reply:
        """Fail a session and free its slot; `error` is shown to its user. As `end`, otherwise.

        With `only_if_lapsed` nothing happens while its lease holds. One that `is_undone` never
        began: the same request, under the same idempotency key, begins another.
        """
        return await self._finish(
            session_id,
            "failed",
            error=error,
            epoch=epoch,
            onlyIfLapsed=only_if_lapsed,
            isUndone=is_undone,
        )

    async def mark_closed(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        """Record that the room is no more: the session is over for good; an agent passes its epoch.

        Raises SessionNotFound, StaleEpoch.
        """
        return to_reply(await self._engine.run_for("closed", session_id, epoch=epoch))

    async def suspects(self) -> list[SessionId]:
        """Return sessions that have been silent for `suspicion_s` after their lease lapsed.

        The first call that finds a lapsed lease only notes it: one that is renewed until the next
        call was late, not lost. After Redis was away, leases are judged as of before for a while.
        """
        answer = await self._engine.run("suspect", limit=_SUSPECTS_PER_PASS)
        return [SessionId(text) for text in answer.get("confirmed", ())]

    async def lose(
        self,
        session_id: SessionId,
        reason: str,
        *,
        cause: LossCause = LossCause.LAPSED,
        epoch: int | None = None,
        is_certain: bool = False,
        is_planned: bool = False,
        delay_s: float = 0.0,
    ) -> Loss:
        """Write off the agent that was sent last; another is due after `delay_s`, under epoch + 1.

        From the second loss within `redispatch_window_s` on it is due a second later at least, then
        two, then four. After `redispatch_limit` losses in that time the session fails instead, and
        `reason` is shown to its user. Unless `is_certain`, nothing happens to a session that is no
        confirmed suspect, or whose agent may still come. Who is certain says of which epoch: told
        twice, it would be the next agent. One that makes way, or nobody was given (`is_planned`),
        does not count. Raises SessionNotFound, SessionOver, StillWaiting, StaleEpoch, InvalidInput.
        """
        if is_certain and epoch is None:
            raise InvalidInput("a certain loss is that of one epoch")
        answer = await self._engine.run_for(
            "lose",
            session_id,
            epoch=epoch,
            reason=clean(reason, _MAX_ERROR_CHARS),
            cause=cause,
            isCertain=is_certain,
            isPlanned=is_planned,
            delayMs=milliseconds(delay_s),
        )
        return to_loss(answer)

    async def get(self, session_id: SessionId) -> Session:
        """Return a session. Raises SessionNotFound."""
        with translated_errors():
            fields = await self._engine.redis.hgetall(self._engine.keys.session(session_id))
        if not fields:
            raise SessionNotFound(session_id)
        return to_session(session_id, {str(name): str(value) for name, value in fields.items()})

    async def occupancy(self) -> Occupancy:
        """Return how many sessions there are, and how fast the last ones started."""
        return await self.views.occupancy()

    async def now(self) -> int:
        """Return the time by Redis's clock, in ms since 1970, as sessions are stamped by it."""
        return await self._engine.now()

    async def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers."""
        await self._engine.now()

    async def _finish(
        self,
        session_id: SessionId,
        outcome: Literal["ended", "failed"],
        *,
        error: str | None = None,
        reason: str | None = None,
        **how: bool | int | None,
    ) -> Reply:
        """End or fail a session; `how` is what finish.lua takes besides."""
        answer = await self._engine.run_for(
            "finish",
            session_id,
            outcome=outcome,
            error=None if error is None else clean(error, _MAX_ERROR_CHARS),
            reason=None if reason is None else clean(reason, _MAX_REASON_CHARS),
            **how,
        )
        return to_reply(answer)
