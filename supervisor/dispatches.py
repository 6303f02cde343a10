"""A session has its slot, and no agent was sent for it yet, or none came.

Scenario: a session ends somewhere, in a token server, in a worker, by a lease that lapses. The slot
goes to the first in line in the same step; whoever took that step may know nothing of rooms, or
die. Here sessions are looked for that need an agent, and one is sent to each.

Scenario: an agent was sent and did not claim the session in time: LiveKit sends once and forgets.
LiveKit is asked whether any worker took its job, or an agent is in the room. That one may need
longer, as in a burst, until CLAIM_DEADLINE_S. Otherwise the agent is written off, so that it can do
nothing should it come after all, and another one is sent, a few times at most; then the session
fails with words for its user.

Scenario: a worker stands still. LiveKit goes on giving it jobs, by chance, and nobody takes them.
That is no agent's failure: for START_LEASE_S it does not count, and the next is sent at once.

Scenario: an agent that had the session was lost (leases.py, worker/host/crashes.py). Another one is
sent into the room, and what is left of the first is put out of it.

Counter-scenario: LiveKit is away. Then nobody can be sent, and nobody is judged: sessions stay due
until it is back, or until the lease of their slot lapses (supervisor/leases.py). Who was on the way
then is waited for as long as one who is sent afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import Enum, auto

from rooms.client import Rooms, agent_identity
from rooms.errors import RoomsError
from sessions.assignment import Assignment
from sessions.errors import SessionError, StoreUnavailable
from sessions.ids import SessionId
from sessions.model import LossCause, Session
from sessions.states import HOLDING, State
from sessions.store import SessionStore
from supervisor.absent_workers import taking_since_ms, was_dropped
from supervisor.loop import level_of
from telemetry.tracing import OFF, Step, Traces, dispatch_span

logger = logging.getLogger("supervisor")

_NO_AGENT = "No agent came in time. Please try again."
_NOT_SENT = "The media server did not let an agent in. Please try again."
#: So many are sent at a time.
_AT_ONCE = 10
#: After LiveKit failed half-way, the next try waits so long.
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is true for all sessions of one pass."""

    #: The rooms that are there.
    rooms: Container[str]
    #: Since when any worker can be given jobs; None while none can.
    workers_since_ms: int | None
    now_ms: int


class _Absence(Enum):
    """What is known of an agent that has not come in time."""

    #: It may come yet.
    LATE = auto()
    #: LiveKit knows of nobody who took its job.
    NOT_TAKEN = auto()
    #: It is not waited for any longer.
    LOST = auto()


class Dispatcher:
    """Sends agents to sessions that need one. Any number of them may run at the same time."""

    def __init__(
        self,
        store: SessionStore,
        rooms: Rooms,
        *,
        clock: Callable[[], float] = time.monotonic,
        traces: Traces = OFF,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._clock = clock
        self._traces = traces
        self._turns = asyncio.Semaphore(_AT_ONCE)
        #: Until then nobody is judged for not coming, by our clock.
        self._excused_until = -math.inf

    async def dispatch_due_once(self) -> int:
        """Send an agent to each session that needs one; return how many were sent."""
        try:
            return await self._send_to(await self._store.queue.due())
        except StoreUnavailable as error:
            logger.warning("redis is away; nobody is sent", extra={"reason": str(error)})
            return 0

    async def send(self, session_id: SessionId) -> bool:
        """Send an agent to one session if one is due; say whether this call did.

        When LiveKit is away nothing happens, and the session stays due. Raises StoreUnavailable.
        """
        return await self._send_to([session_id]) == 1

    async def _send_to(self, ids: list[SessionId]) -> int:
        sessions = [*(await self._store.views.sessions(ids)).values()]
        if not sessions:
            return 0
        workers_since_ms = taking_since_ms(await self._store.fleet.workers())
        if workers_since_ms is None:
            # Nobody is judged for not coming while nobody is there: absent_workers.py.
            sessions = [one for one in sessions if one.dispatched_at_ms is None]
        try:
            # Asked before anything is taken: with LiveKit away, no try is used up.
            there = await self._rooms.metadata([session.room for session in sessions])
        except RoomsError as error:
            self._excuse()
            logger.log(
                level_of(error),
                "livekit is away; nobody is sent",
                extra={"reason": str(error), "sessions": len(sessions)},
            )
            return 0
        look = _Look(rooms=there, workers_since_ms=workers_since_ms, now_ms=await self._store.now())
        return sum(await asyncio.gather(*(self._try(session, look) for session in sessions)))

    async def _try(self, session: Session, look: _Look) -> bool:
        async with self._turns:
            try:
                return await self._send(session, look)
            except SessionError as error:
                # It ended meanwhile, another server was quicker, or Redis is away: it stays due.
                logger.info("not sent", extra={**session.log_fields, "code": error.code})
            except Exception:
                logger.exception("could not send an agent", extra=session.log_fields)
            return False

    async def _send(self, session: Session, look: _Look) -> bool:
        is_late = session.dispatched_at_ms is not None
        if is_late and not await self._write_off(session, look):
            return False
        has_room = session.room in look.rooms
        if not has_room and (session.joined_at_ms is not None or session.foreign_room is not None):
            # Its user has left, which a webhook tells, or comes back with a new room. And a room of
            # somebody else's is not for us to open.
            return False
        duty = await self._store.dispatch(session.id)
        if not duty.changed:
            return False
        try:
            with self._traces.dispatch(session.id, duty.epoch, _reason(session, duty.epoch)):
                await self._invite(session, duty.epoch, has_room=has_room)
        except RoomsError as error:
            logger.log(
                level_of(error),
                "could not send an agent",
                extra={**session.log_fields, "reason": str(error)},
            )
            # It may come all the same, so the next one gets another epoch.
            await self._store.lose(
                session.id,
                _NOT_SENT,
                cause=LossCause.NOT_SENT,
                epoch=duty.epoch,
                is_certain=True,
                delay_s=_RETRY_S,
            )
            return False
        logger.info("agent sent", extra={**session.log_fields, "epoch": duty.epoch})
        return True

    async def _write_off(self, session: Session, look: _Look) -> bool:
        """Give up the agent that did not come; say whether another one is due.

        One that nobody could send is no failure.
        """
        is_dropped = was_dropped(session, look.workers_since_ms)
        absence = _Absence.NOT_TAKEN if is_dropped else await self._absence(session, look)
        if absence is _Absence.LATE:
            return False
        is_excused = absence is _Absence.NOT_TAKEN and (is_dropped or self._is_new(session, look))
        loss = await self._store.lose(
            session.id,
            _NO_AGENT,
            cause=LossCause.NO_AGENT,
            epoch=session.epoch,
            is_certain=is_dropped,
            is_planned=is_excused,
        )
        if loss.changed:
            logger.warning(
                "no agent came",
                extra={**session.log_fields, "losses": loss.losses, "status": loss.status},
            )
        return loss.changed and loss.status in HOLDING

    async def _absence(self, session: Session, look: _Look) -> _Absence:
        """Say whether the agent that was sent is to be waited for.

        With its room, LiveKit has lost what was sent into it.
        """
        if session.room not in look.rooms:
            return _Absence.LOST
        if self._clock() < self._excused_until:
            return _Absence.LATE
        waited_ms = look.now_ms - (session.dispatched_at_ms or 0)
        if waited_ms >= self._store.settings.claim_deadline_s * 1000:
            return _Absence.LOST
        try:
            is_coming = await self._is_on_its_way(session)
        except RoomsError:
            self._excuse()
            return _Absence.LATE
        return _Absence.LATE if is_coming else _Absence.NOT_TAKEN

    def _is_new(self, session: Session, look: _Look) -> bool:
        """Say whether it was admitted, or lost an agent, no longer ago than a start may take."""
        since_ms = max(session.admitted_at_ms or 0, *session.losses_ms, 0)
        return look.now_ms - since_ms < self._store.settings.start_lease_s * 1000

    async def _is_on_its_way(self, session: Session) -> bool:
        """Say whether LiveKit knows of a worker that took the job, or of an agent in the room."""
        sent = await self._rooms.sent(session.room)
        if any(one.is_taken and _is_for(session, one.metadata) for one in sent):
            return True
        if session.foreign_room is not None:
            return False  # agents that are there may be somebody else's
        # One that was assigned at the last moment LiveKit lets in, and does not note.
        ghost = session.ghost_job_id
        lost = None if ghost is None else agent_identity(ghost)
        return any(one != lost for one in await self._rooms.agents(session.room))

    async def _invite(self, session: Session, epoch: int, *, has_room: bool) -> None:
        metadata = Assignment(
            session_id=session.id,
            user_id=session.user_id,
            identity=session.identity,
            epoch=epoch,
            remember=session.is_remembered,
            persona=session.persona,
            foreign_room=session.foreign_room,
        ).to_metadata()
        step = Step.SEND_AGENT if has_room else Step.OPEN_ROOM
        with self._traces.span(session.id, step, parent=dispatch_span(session.id, epoch)):
            # LiveKit passes over the agents that are named for a room which is there already.
            ask = self._rooms.send_agent if has_room else self._rooms.open
            await ask(session.room, metadata)
        if has_room:
            await self._put_out_ghost(session)

    async def _put_out_ghost(self, session: Session) -> None:
        """Remove the agent that was lost: one that hangs would stay in the room beside the next.

        Of one that was killed, LiveKit would keep the participant until its connection times out.
        """
        if session.ghost_job_id is None:
            return
        try:
            if await self._rooms.remove_agent(session.room, session.ghost_job_id):
                logger.info("lost agent removed", extra=session.log_fields)
        except RoomsError as error:
            # The next one is on its way. This one leaves by itself, should it wake up.
            logger.log(
                level_of(error),
                "could not remove a lost agent",
                extra={**session.log_fields, "reason": str(error)},
            )

    def _excuse(self) -> None:
        """Judge nobody for a while: LiveKit is away."""
        self._excused_until = self._clock() + self._store.settings.claim_deadline_s


def _reason(session: Session, epoch: int) -> str:
    """Say in one word why an agent is sent."""
    if session.status is State.RECOVERING:
        return "agent_lost"
    return "admitted" if epoch == 1 else "no_agent"


def _is_for(session: Session, metadata: str) -> bool:
    """Say whether this is what the agent that was sent last was told."""
    told = Assignment.from_metadata(metadata)
    return told is not None and (told.session_id, told.epoch) == (session.id, session.epoch)
