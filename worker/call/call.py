"""One call, from the first packet to the last write. What belongs to one session, and only that."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from livekit import rtc
from livekit.agents import AutoSubscribe, JobContext

from sessions.assignment import Assignment
from sessions.errors import NotAdmitted, SessionNotFound, SessionOver
from worker.background import Background
from worker.call.chronicle import Chronicle
from worker.call.conversation import Conversation
from worker.call.ending import Ending, attempt
from worker.call.handover import Handover
from worker.call.lease import Lease, LeaseLost
from worker.call.limits import Limits
from worker.call.measures import Measures
from worker.call.moments import Moment
from worker.call.outcome import (
    CRASHED,
    HANDED_OVER,
    NO_USER,
    STOPPED,
    USER_LEFT,
    Outcome,
    Verdict,
    after_disconnect,
)
from worker.call.presence import Presence
from worker.call.trail import Trail
from worker.call.vitals import VitalSigns
from worker.call.warm import Warm

logger = logging.getLogger(__name__)

#: How long a user is kept from an agent by a Redis that does not answer.
_ADMISSION_S = 1.0
#: How long the first words wait for whether they are the first that the user hears.
_RECALL_S = 1.0
#: Joining a room that is gone takes until the library's time-out, with its repetitions.
_JOIN_S = 10.0
#: How long a track may take to be there for all; a connection that was lost is back by then.
_PUBLISH_S = 20.0


class Call:
    """The agent's part in one session.

    Joins before it knows whether the session is its own: asking first would cost every user a
    round trip, and Redis answers before the room is joined. While Redis is away, it even talks.
    Only where a token alone was handed out does it ask first: a user who has to wait is not to see
    an agent come and go.
    """

    def __init__(
        self, ctx: JobContext, warm: Warm, assignment: Assignment, lease: Lease, trail: Trail
    ) -> None:
        self._ctx = ctx
        self._settings = warm.settings
        self._lease = lease
        role = warm.cast.role(assignment.persona)
        self._conversation = Conversation(
            warm, ctx.room, role, self.conclude, lambda: self._user.identity
        )
        self._memory = warm.memory
        self._vitals = VitalSigns(
            lambda: self._conversation.session.agent_state, warm.memory, warm.processor
        )
        self._chronicle = _chronicle(warm, assignment, lease, trail)
        self._limits = Limits(self._conversation, role, self.conclude)
        self._user = Presence(
            ctx.room,
            assignment.identity,
            grace_s=self._settings.user_grace_s,
            first_grace_s=self._settings.no_user_timeout_s,
            on_away=self._limits.forget_silence,
            on_gone=lambda: self.conclude(USER_LEFT if self._user.was_connected else NO_USER),
        )
        self._owns_room = assignment.foreign_room is None
        self._ending = Ending(
            lease, lambda: ctx.api, ctx.room, ctx.job.room.name, owns_room=self._owns_room
        )
        self._handover = Handover(ctx.room, self._conversation, lease)
        self._notice = warm.notice
        self._holding: asyncio.Task[None] | None = None
        self._outcome: Outcome | None = None
        self._is_over = asyncio.Event()
        self._must_close_room = False
        self._joining: asyncio.Task[None] | None = None
        self._background = Background(logger, "call task failed")
        self._started_at = time.monotonic()

    async def start(self, came: Mapping[Moment, float]) -> None:
        """Claim the session, join the room and greet the user, all at the same time.

        `came`: when the job came by what stages, in seconds since 1970.
        """
        self._memory.enter()
        self._chronicle.begin(came)
        if not await self._is_needed():
            return
        self._user.watch()
        self._ctx.room.on("disconnected", self._on_disconnected)
        # Joining comes first: it takes longest, and nearly all of it is waiting. What follows has
        # registered all it wants to hear of the room long before the room is joined.
        self._joining = asyncio.create_task(self._join())
        self._holding = self._background.go(self._hold())
        self._notice.listen(self._on_notice, self._ctx.job.id)
        self._background.go(self._expect_user())
        voice, published = self._conversation.voice, self._conversation.track.published
        for work in self._chronicle.watch(voice, published, self._user.joined):
            self._background.go(work)
        self._limits.watch()
        await self._conversation.start(self._user.identity)
        self._background.go(self._chronicle.recall.tell(voice.session))
        await self._until(self._joining)
        if self._outcome is None:
            self._background.go(self._expect_listener())
            self._background.go(self._conversation.track.break_silence(self._user.connected))
            self._background.go(self._greet())
            self._background.go(self._keep_time())

    def conclude(self, outcome: Outcome) -> None:
        """Let the call end; the first outcome counts."""
        if self._outcome is None:
            self._outcome = outcome
        self._is_over.set()
        self._ctx.shutdown(outcome.reason)

    async def finish(self) -> None:
        """Write down how it went, close the room, let go of everything."""
        outcome = self._outcome or STOPPED
        self._memory.leave()
        self._chronicle.bind()
        self._notice.forget(self._on_notice)
        self._user.close()
        self._limits.forget_silence()
        await self._stop_joining()
        await self._background.aclose()
        if outcome.verdict is Verdict.LEFT or not self._owns_room:
            await self._ending.leave()
        await attempt("last words", self._chronicle.finish(outcome))
        await self._ending.settle(outcome, must_close_room=self._must_close_room)
        await attempt("closing the conversation", self._conversation.aclose())
        logger.info(
            "call over",
            extra={
                "outcome": outcome.verdict,
                "reason": outcome.reason,
                "duration_ms": round((time.monotonic() - self._started_at) * 1000),
            },
        )
        await attempt("last lines", self._chronicle.aclose(outcome))

    async def _is_needed(self) -> bool:
        """Say whether the session has a slot; yes, too, when Redis does not tell soon."""
        try:
            async with asyncio.timeout(_ADMISSION_S):
                await self._lease.admit()
        except TimeoutError:
            return True
        except LeaseLost as lost:
            self._leave(lost)
            return False
        return True

    async def _join(self) -> None:
        # Rooms of ours have no video; and to subscribe to each track by itself takes a round trip.
        all_there_is = AutoSubscribe.SUBSCRIBE_ALL if self._owns_room else AutoSubscribe.AUDIO_ONLY
        await self._ctx.connect(auto_subscribe=all_there_is)
        self._chronicle.record.mark(Moment.JOINED)
        self._user.look()
        if self._outcome is None:
            self._background.go(self._enter())
            self._background.go(self._expect_track())

    async def _enter(self) -> None:
        try:
            await self._conversation.enter(self._user.identity)
        except Exception:
            # Where the connection is lost, `_expect_track` gives it the time to come back.
            if self._ctx.room.isconnected():
                self.conclude(CRASHED)
            raise

    async def _expect_track(self) -> None:
        """An agent that nobody can hear must not keep a session that looks healthy."""
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await self._conversation.track.published.wait()
        except TimeoutError:
            self.conclude(CRASHED)
            logger.exception("track not published", extra={"deadline_s": _PUBLISH_S})

    async def _until(self, joining: asyncio.Task[None]) -> None:
        """Wait until the room is joined, or nobody wants it joined any more."""
        over = asyncio.create_task(self._is_over.wait())
        await asyncio.wait({joining, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if joining.done():
            joining.result()

    async def _stop_joining(self) -> None:
        """Let a join come to its end.

        One that is cancelled ends the whole process a while later (livekit 1.1.21: "FFI Panic:
        timed out waiting for ReadyForRoomEventRequest"); one that is done can be undone.
        """
        if self._joining is None:
            return
        done, _ = await asyncio.wait({self._joining}, timeout=_JOIN_S)
        for joining in done:
            if not joining.cancelled() and (error := joining.exception()) is not None:
                logger.info("room was not joined", extra={"error": type(error).__name__})

    async def _hold(self) -> None:
        try:
            await self._lease.hold(
                self._conversation.track.published,
                self._user.joined,
                user=lambda: self._user.identity,
                vitals=self._vitals.read,
            )
        except LeaseLost as lost:
            self._leave(lost)

    def _on_notice(self) -> None:
        self._background.go(self._hand_over())

    async def _hand_over(self) -> None:
        """Let another agent go on with the session: this worker is about to stop."""
        try:
            is_free = await self._handover.give_back(self._let_go)
        except LeaseLost as lost:
            self._leave(lost)
            return
        if is_free:
            # From here on the session is not ours to judge, whatever becomes of this process.
            self._outcome = self._outcome or HANDED_OVER
            await self._handover.until_replaced()
            self.conclude(HANDED_OVER)

    async def _let_go(self) -> bool:
        if self._outcome is None and self._holding is not None:
            self._holding.cancel()
            await asyncio.wait({self._holding})
            # What was said last: once the session is given back the store takes no more from us.
            await self._chronicle.finish(HANDED_OVER)
        return self._outcome is None

    def _leave(self, lost: LeaseLost) -> None:
        # No room of a session that is over may stay open; joining may even have made it anew.
        self._must_close_room = isinstance(lost.cause, NotAdmitted | SessionNotFound | SessionOver)
        logger.info("leaving the room", extra={"code": lost.cause.code})
        self.conclude(Outcome.left(lost.cause.code))

    async def _expect_user(self) -> None:
        if not await self._user.has_come(self._settings.no_user_timeout_s):
            self.conclude(NO_USER)

    async def _greet(self) -> None:
        is_back = await self._chronicle.recall.is_back(_RECALL_S)
        begin = self._conversation.resume if is_back else self._conversation.greet
        await begin(self._user.joined)

    async def _expect_listener(self) -> None:
        await asyncio.shield(self._conversation.track.subscribed)
        if self._owns_room and not self._user.has_company:
            # Whoever subscribes is the user; waiting to be told so by the server can take 3 s.
            self._user.joined.set()
            self._user.was_connected = True

    async def _keep_time(self) -> None:
        await self._conversation.track.published.wait()
        await self._limits.keep_time(await self._lease.ready_for_s())

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.conclude(after_disconnect(reason))


def _chronicle(warm: Warm, assignment: Assignment, lease: Lease, trail: Trail) -> Chronicle:
    measures = Measures(warm.figures, is_warm=lease.is_warm)
    lease.on_start = measures.start
    return Chronicle(warm.store, warm.settings, assignment, lease.claimed, measures, trail=trail)
