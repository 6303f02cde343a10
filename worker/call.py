"""One call, from the first packet to the last write."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine

import aiohttp
from livekit import api, rtc
from livekit.agents import CloseEvent, JobContext
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from sessions.assignment import Assignment
from sessions.errors import NotAdmitted, SessionNotFound, SessionOver, StoreUnavailable, WrongSchema
from worker.agent import Assistant
from worker.greeting import load_greeting
from worker.lease import Lease, LeaseLost
from worker.outcome import (
    NO_USER,
    STOPPED,
    Outcome,
    Verdict,
    after_close,
    after_disconnect,
)
from worker.pipeline import build_session
from worker.prewarm import Warm
from worker.track import EarlyTrack, transcribe_from_now_on

logger = logging.getLogger(__name__)

#: How long the last write may hold up the closing of the room, and be tried after it.
_RECORD_BEFORE_CLOSING_S = 3.0
_RECORD_AFTER_CLOSING_S = 15.0
_CLOSE_ROOM_S = 5.0
#: How long a user is kept from an agent by a Redis that does not answer.
_ADMISSION_S = 1.0


class Call:
    """The agent's part in one session.

    Joins before it knows whether the session is its own: asking first would cost every user a
    round trip, and Redis answers before the room is joined. While Redis is away, it even talks.
    Only where a token alone was handed out does it ask first: a user who has to wait is not to see
    an agent come and go.
    """

    def __init__(self, ctx: JobContext, warm: Warm, assignment: Assignment, lease: Lease) -> None:
        self._ctx = ctx
        self._warm = warm
        self._assignment = assignment
        self._lease = lease
        self._outcome: Outcome | None = None
        self._must_close_room = False
        self._joined = asyncio.Event()
        self._track = EarlyTrack(ctx.room)
        self._session = build_session(warm.pipeline, warm.settings.provider_timeout_s)
        self._starting: list[asyncio.Task[None]] = []
        self._was_given_up = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._started_at = time.monotonic()

    async def start(self) -> None:
        """Claim the session, join the room and greet the user, all at the same time."""
        if not await self._is_needed():
            return
        self._watch(self._ctx.room)
        # Joining comes first: it takes longest, and nearly all of it is waiting. What follows has
        # registered all it wants to hear of the room long before the room is joined.
        self._starting = [asyncio.create_task(self._join())]
        self._go(self._hold())
        self._go(self._expect_user())
        self._starting.append(asyncio.create_task(self._converse()))
        try:
            await asyncio.gather(*self._starting)
        except asyncio.CancelledError:
            if not self._was_given_up:
                raise
        if self._outcome is None:
            self._go(self._greet())

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
        await self._ctx.connect()
        # As an option of the session this would fail before the room is joined (1.8.9).
        self._session.room_io.set_participant(self._assignment.identity)
        if self._assignment.identity in self._ctx.room.remote_participants:
            self._joined.set()
        if self._outcome is None:
            transcribe_from_now_on(self._session, self._ctx.room)
            self._go(self._track.start())

    async def _converse(self) -> None:
        self._session.output.audio = self._track
        self._session.on("close", self._on_close)
        await self._session.start(
            Assistant(self._warm.settings.agent_instructions),
            room=self._ctx.room,
            room_options=RoomOptions(
                # Browsers and phones level the voice themselves; doing it here again costs 0.1 s
                # at the start, and time all through the call.
                audio_input=AudioInputOptions(auto_gain_control=False),
                audio_output=False,  # there already
            ),
            # Would let whoever is in the room read the instructions and the whole history.
            session_host=False,
            record=False,
        )

    def conclude(self, outcome: Outcome) -> None:
        """Let the call end; the first outcome counts."""
        if self._outcome is None:
            self._outcome = outcome
        self._ctx.shutdown(outcome.reason)

    async def finish(self) -> None:
        """Write down how it went, close the room, let go of everything."""
        outcome = self._outcome or STOPPED
        await self._stop_tasks()
        is_recorded = outcome.verdict is Verdict.LEFT or await self._record(
            outcome, _RECORD_BEFORE_CLOSING_S
        )
        must_close = self._must_close_room or (
            outcome.verdict is not Verdict.LEFT and not self._lease.is_replaced
        )
        is_closed = must_close and await self._close_room()
        if not is_recorded:
            is_recorded = await self._record(outcome, _RECORD_AFTER_CLOSING_S)
        if is_closed and is_recorded:
            await self._write("closing", self._lease.mark_closed, _RECORD_BEFORE_CLOSING_S)
        await self._track.aclose()
        await self._warm.pipeline.client.close()
        await self._warm.redis.aclose()
        logger.info(
            "call over",
            extra={
                "outcome": outcome.verdict,
                "reason": outcome.reason,
                "duration_ms": round((time.monotonic() - self._started_at) * 1000),
            },
        )

    def _watch(self, room: rtc.Room) -> None:
        def on_participant(participant: rtc.RemoteParticipant) -> None:
            if participant.identity == self._assignment.identity:
                self._joined.set()

        def on_disconnected(reason: rtc.DisconnectReason.ValueType) -> None:
            self.conclude(after_disconnect(reason))

        room.on("participant_connected", on_participant)
        room.on("disconnected", on_disconnected)

    async def _hold(self) -> None:
        try:
            await self._lease.hold(self._track.published, self._joined)
        except LeaseLost as lost:
            self._leave(lost)
            # Still joining, perhaps a room that is gone: that would take until its time-out.
            self._was_given_up = True
            for task in self._starting:
                task.cancel()
            await self._ctx.room.disconnect()

    def _leave(self, lost: LeaseLost) -> None:
        # No room of a session that is over may stay open; joining may even have made it anew.
        self._must_close_room = isinstance(lost.cause, NotAdmitted | SessionNotFound | SessionOver)
        logger.info("leaving the room", extra={"code": lost.cause.code})
        self.conclude(Outcome.left(lost.cause.code))

    async def _expect_user(self) -> None:
        try:
            async with asyncio.timeout(self._warm.settings.no_user_timeout_s):
                await self._joined.wait()
        except TimeoutError:
            self.conclude(NO_USER)

    async def _greet(self) -> None:
        settings = self._warm.settings
        # A process that became warm before the clip was made finds it now.
        clip = self._warm.greeting or await asyncio.to_thread(load_greeting, settings)
        # Whoever subscribes is the user; waiting to be told so by the server can take 3 s.
        await asyncio.shield(self._track.subscribed)
        self._joined.set()
        if not settings.agent_greeting:
            return
        if clip is None:
            self._session.say(settings.agent_greeting)
        else:
            self._session.say(settings.agent_greeting, audio=clip.frames())

    def _on_close(self, event: CloseEvent) -> None:
        outcome = after_close(event, has_hung_up=self._session.userdata.hang_up)
        if outcome is not None:
            self.conclude(outcome)

    async def _record(self, outcome: Outcome, deadline_s: float) -> bool:
        """Write the outcome; False when Redis did not take it in time."""
        if outcome.verdict is Verdict.FAILED:
            return await self._write("outcome", lambda: self._lease.fail(outcome.error), deadline_s)
        return await self._write("outcome", self._lease.end, deadline_s)

    async def _write(
        self, what: str, write: Callable[[], Awaitable[None]], deadline_s: float
    ) -> bool:
        """Repeat a last write until Redis takes it; False when it did not in time."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    try:
                        await write()
                    except (StoreUnavailable, WrongSchema):
                        await asyncio.sleep(0.2)
                    else:
                        return True
        except TimeoutError:
            logger.warning("not recorded", extra={"what": what})
            return False

    async def _close_room(self) -> bool:
        """Close the room; False when that is not certain."""
        # The WebRTC library reports each channel that a closed room takes away as an error.
        logging.getLogger("livekit").setLevel(logging.CRITICAL)
        # The framework's own logger is a child of it, and stays as it was.
        logging.getLogger("livekit.agents").setLevel(logger.getEffectiveLevel())
        request = api.DeleteRoomRequest(room=self._ctx.job.room.name)
        try:
            async with asyncio.timeout(_CLOSE_ROOM_S):
                await self._ctx.api.room.delete_room(request)
        except api.ServerError as error:
            if error.code == api.ServerErrorCode.NOT_FOUND:
                return True
            logger.warning("room could not be closed", extra={"reason": error.code})
            return False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("room could not be closed", extra={"reason": type(error).__name__})
            return False
        return True

    def _go(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("call task failed", exc_info=error)

    async def _stop_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
