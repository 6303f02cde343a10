"""One agent's hold on one session: taken at the start, renewed until the call is over.

Redis being away never stops a call. A session that has got another agent, or is over, does: then
`hold` raises and the agent has to leave the room.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from sessions.assignment import Assignment
from sessions.errors import (
    AgentAlreadyThere,
    NotClaimed,
    SessionError,
    StaleEpoch,
    StillWaiting,
    StoreUnavailable,
    WrongSchema,
)
from sessions.model import AgentProcess, LossCause, Newcomer, Start, Vitals
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger(__name__)

#: Tells how the agent is.
VitalsSource = Callable[[], Awaitable[Vitals]]

_FIRST_RETRY_S = 0.1


class LeaseLost(Exception):
    """Raised when the session is not, or no longer, this agent's; the cause says why."""

    def __init__(self, cause: SessionError) -> None:
        super().__init__(cause.code)
        self.cause = cause


class Lease:
    """The writes of one agent, all under the epoch it was sent with."""

    def __init__(
        self,
        store: SessionStore,
        assignment: Assignment,
        agent: AgentProcess,
        *,
        interval_s: float,
    ) -> None:
        self._store = store
        self._assignment = assignment
        self._agent = agent
        self._interval_s = interval_s
        self._id = assignment.session_id
        self._epoch = assignment.epoch
        self._must_admit = assignment.admit_on_start
        self._user: Callable[[], str] = lambda: assignment.identity
        #: Set once the session is this agent's: only then can it write of it.
        self.claimed = asyncio.Event()
        self._vitals: VitalsSource | None = None
        #: Hears how long the session's first agent took, if this is it.
        self.on_start: Callable[[Start], None] = lambda _: None
        #: True once a last write told that another agent has the session, and the room.
        self.is_replaced = False

    @property
    def is_warm(self) -> bool:
        """Whether this agent's process was warm before its job came."""
        return self._agent.prewarmed

    async def admit(self) -> None:
        """Where only a token was handed out: take a slot, or a place in line.

        In line, this agent is not needed: another one is sent once there is a slot. `hold` does
        this too, unless it is done. Raises LeaseLost.
        """
        await self._insist(self._admit)

    async def hold(
        self,
        published: asyncio.Event,
        joined: asyncio.Event,
        *,
        user: Callable[[], str] | None = None,
        vitals: VitalsSource | None = None,
    ) -> None:
        """Claim the session and renew the lease for ever; record the two events when they come.

        `user` tells the identity of who joined, for a session that begins without one. Raises
        LeaseLost.
        """
        self._user = user or self._user
        self._vitals = vitals
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._take()
                tasks.create_task(self._renew(published, joined))
                tasks.create_task(self._record(published, self._mark_ready))
                tasks.create_task(self._record(joined, self._mark_joined))
        except ExceptionGroup as errors:
            raise LeaseLost(_reason(errors)) from None

    async def ready_for_s(self) -> float:
        """Return how long ago the session's first agent could be heard; 0 if nobody knows.

        Waits for Redis as long as it takes.
        """
        age_s = 0.0

        async def read() -> None:
            nonlocal age_s
            ready_at_ms = (await self._store.get(self._id)).ready_at_ms
            if ready_at_ms is not None:
                age_s = max(0.0, (await self._store.now() - ready_at_ms) / 1000)

        if self._epoch > 1:
            try:
                await self._persistently(read)
            except SessionError as error:
                logger.info("age of the session not known", extra={"code": error.code})
        return age_s

    async def confirm(self) -> None:
        """Renew the lease now; return once Redis has taken it. Raises LeaseLost."""
        await self._insist(lambda: self._store.renew(self._id, self._epoch))

    async def release(self, reason: str) -> None:
        """Make way for another agent; nothing may hold the session any more. Raises LeaseLost."""
        await self._insist(
            lambda: self._store.lose(
                self._id,
                reason,
                cause=LossCause.HANDED_OVER,
                epoch=self._epoch,
                is_certain=True,
                is_planned=True,
            )
        )

    async def end(self, reason: str | None = None) -> None:
        """Record that the session ended, and why. Raises StoreUnavailable."""
        await self._unless_over(self._store.end(self._id, epoch=self._epoch, reason=reason))

    async def mark_closed(self) -> None:
        """Record that the room is no more. Raises StoreUnavailable."""
        await self._unless_over(self._store.mark_closed(self._id, epoch=self._epoch))

    async def fail(self, error: str) -> None:
        """Record that the session failed. Raises StoreUnavailable."""
        await self._unless_over(self._store.fail(self._id, error, epoch=self._epoch))

    async def _take(self) -> None:
        await self._persistently(self._admit)
        await self._persistently(lambda: self._store.claim(self._id, self._epoch, self._agent))
        self.claimed.set()

    async def _admit(self) -> None:
        """Raises StillWaiting when there is only a place in line, kept by the user's presence."""
        if not self._must_admit:
            return
        assignment = self._assignment
        newcomer = Newcomer(
            id=self._id,
            user_id=assignment.user_id,
            identity=assignment.identity,
            secret_hash=assignment.secret_hash,
            is_remembered=assignment.remember,
            persona=assignment.persona,
            caller=assignment.caller,
            foreign_room=assignment.foreign_room,
        )
        admission = await self._store.admit(
            newcomer,
            policy=assignment.policy,
            # In a room of somebody else's nobody would know of a line.
            may_wait=assignment.foreign_room is None,
        )
        status = admission.status
        if status is State.QUEUED:
            # It was this user's joining that opened the room.
            status = (await self._store.mark_joined(self._id)).status
        if status is State.QUEUED:
            raise StillWaiting(self._id)
        self._must_admit = False

    async def _renew(self, published: asyncio.Event, joined: asyncio.Event) -> None:
        """Renew at an even pace: on a busy machine a beat takes seconds, and the next is due."""
        due_at = time.monotonic() + self._interval_s
        while True:
            await asyncio.sleep(due_at - time.monotonic())
            due_at = time.monotonic() + self._interval_s
            await self._persistently(lambda: self._beat(published, joined))

    async def _beat(self, published: asyncio.Event, joined: asyncio.Event) -> None:
        """Renew the lease; where Redis came back without its last moments, say them again."""
        vitals = await self._read_vitals()
        try:
            status = (await self._store.renew(self._id, self._epoch, vitals)).status
        except NotClaimed:
            status = (await self._store.claim(self._id, self._epoch, self._agent)).status
        if published.is_set() and status in {State.STARTING, State.RECOVERING}:
            status = await self._mark_ready()
        if joined.is_set() and status is State.READY:
            await self._mark_joined()

    async def _read_vitals(self) -> Vitals | None:
        try:
            return None if self._vitals is None else await self._vitals()
        except Exception:
            # The lease is worth more.
            logger.exception("vitals cannot be read")
            return None

    async def _record(self, event: asyncio.Event, write: Callable[[], Awaitable[object]]) -> None:
        await event.wait()
        await self._persistently(write)

    async def _mark_ready(self) -> State:
        told = await self._store.mark_ready(self._id, self._epoch)
        if told.start is not None:
            self.on_start(told.start)
        return told.status

    async def _mark_joined(self) -> None:
        await self._store.mark_joined(self._id, epoch=self._epoch, identity=self._user() or None)

    async def _insist(self, write: Callable[[], Awaitable[object]]) -> None:
        try:
            await self._persistently(write)
        except SessionError as error:
            raise LeaseLost(error) from None

    async def _persistently(self, write: Callable[[], Awaitable[object]]) -> None:
        """Repeat a write, which must bear that, until Redis took it."""
        delay_s, told = _FIRST_RETRY_S, set[str]()
        while True:
            cause: Exception | None = None
            try:
                await write()
            except (StoreUnavailable, WrongSchema) as error:
                # A store of another version is no reason to hang up, either.
                trouble = error.code
            except SessionError:
                raise
            except Exception as error:  # noqa: BLE001 - told below, with its traceback
                # Nor is one that is broken: the user can talk on.
                trouble, cause = type(error).__name__, error
            else:
                if told:
                    logger.info("the store takes it again")
                return
            if trouble not in told:
                logger.warning(
                    "the store does not take it", extra={"code": trouble}, exc_info=cause
                )
                told.add(trouble)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._interval_s)

    async def _unless_over(self, write: Awaitable[object]) -> None:
        """Await a last write; when the session is gone or another's there is nothing to write."""
        try:
            await write
        except (StoreUnavailable, WrongSchema):
            raise
        except SessionError as error:
            self.is_replaced = isinstance(error, StaleEpoch | AgentAlreadyThere)
            logger.info("session was no longer ours", extra={"code": error.code})


def _reason(errors: ExceptionGroup[Exception]) -> SessionError:
    """Return the first of our errors; raise the group when there is another kind among them."""
    ours, others = errors.split(SessionError)
    if ours is None or others is not None:
        raise errors
    error: Exception = ours
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, SessionError):
        raise errors
    return error
