"""How one session goes, written to the store: when what happened, how long answers took, what was
used, what did not work.

Written when the agent can be heard, again when more has happened, and at the end: of an agent that
is killed, all but the last moments is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
)

from sessions.assignment import Assignment
from sessions.errors import SessionError, StoreUnavailable, WrongSchema
from sessions.records import MAX_PART_BYTES, Failure, Part, TurnTimes
from sessions.store import SessionStore
from worker.call.figures import spoken_s, turn_times, usage
from worker.call.measures import Measures
from worker.call.moments import Moment
from worker.call.outcome import Outcome
from worker.call.trail import Trail
from worker.voice.trouble import Trouble
from worker.voice.wishes import Wishes

logger = logging.getLogger(__name__)

#: So many turns and kinds of failures are kept; what came before is counted.
_MOST_TURNS = 60
_MOST_FAILURES = 20
_MOST_REASON_CHARS = 100
_MOST_LABEL_CHARS = 100
#: Stands for all kinds of failures beyond those.
_REST = "other"
#: No more often than this while it goes on.
_PACE_S = 2.0
_RETRY_S = 0.5


class Record:
    """What is put on record of one session by its agent."""

    def __init__(
        self,
        store: SessionStore,
        assignment: Assignment,
        claimed: asyncio.Event,
        measures: Measures,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._measures = measures
        self._trail = trail
        self._assignment = assignment
        #: Until then, the session may be that of another job under the same epoch.
        self._claimed = claimed
        self._moments: dict[str, int] = {}
        self._turns: deque[TurnTimes] = deque(maxlen=_MOST_TURNS)
        self._turns_count = 0
        self._failures: dict[tuple[str, str, str, bool], Failure] = {}
        self._session: AgentSession[Wishes] | None = None
        self._news = asyncio.Event()
        #: What the store has; and whether it takes no more from us.
        self._written: Part | None = None
        self._is_refused = False

    def mark(self, moment: Moment, at_s: float | None = None) -> None:
        """Note when something happened, in s since 1970, if not now. The first time counts."""
        at_ms = round((time.time() if at_s is None else at_s) * 1000)
        if self._moments.setdefault(moment, at_ms) == at_ms:
            self._news.set()
        self._measures.moment(moment, at_ms)
        if self._trail is not None:
            self._trail.moment(moment, at_ms)

    async def expect(self, events: Mapping[Moment, asyncio.Event]) -> None:
        """Note when each of these is set."""

        async def note(moment: Moment, event: asyncio.Event) -> None:
            await event.wait()
            self.mark(moment)

        async with asyncio.TaskGroup() as tasks:
            for moment, event in events.items():
                tasks.create_task(note(moment, event))

    def watch(self, session: AgentSession[Wishes]) -> None:
        """Note what happens in a conversation from now on."""
        self._session = session
        session.on("agent_state_changed", self._on_state)
        session.on("user_input_transcribed", self._on_heard)
        session.on("conversation_item_added", self._on_item)

    def note(self, trouble: Trouble) -> None:
        """Count what a provider failed at, also where the user did not notice."""
        self._measures.trouble(trouble)
        kind: tuple[str, str, str, bool]
        kind = (trouble.stage, trouble.provider, trouble.kind, trouble.recoverable)
        if kind not in self._failures and len(self._failures) >= _MOST_FAILURES:
            kind = (_REST, "", _REST, trouble.recoverable)
        stage, provider, name, is_recoverable = kind
        before = self._failures.get(kind)
        self._failures[kind] = Failure(
            stage=stage,
            label=provider[:_MOST_LABEL_CHARS],
            kind=name,
            is_recoverable=is_recoverable,
            count=1 if before is None else before.count + 1,
            last_at_ms=round(time.time() * 1000),
        )
        self._news.set()

    def part(self, outcome: Outcome | None = None) -> Part:
        """Return what is on record so far, small enough for the store."""
        turns = tuple(self._turns)
        while True:
            part = Part(
                epoch=self._assignment.epoch,
                moments_ms=dict(self._moments),
                turns=turns,
                turns_left_out=self._turns_count - len(turns),
                usage=() if self._session is None else usage(self._session.usage.model_usage),
                failures=tuple(self._failures.values()),
                outcome=None if outcome is None else outcome.verdict,
                reason=None if outcome is None else outcome.reason[:_MOST_REASON_CHARS],
            )
            if not turns or len(part.to_text().encode()) <= MAX_PART_BYTES:
                return part
            turns = turns[len(turns) // 4 + 1 :]

    async def keep(self, is_heard: asyncio.Event) -> None:
        """Write it down once the agent can be heard, and then whenever there is more."""
        await self._claimed.wait()
        await is_heard.wait()
        while not self._is_refused:
            self._news.clear()
            await self._write(self.part())
            await asyncio.sleep(_PACE_S)
            await self._news.wait()

    async def finish(self, outcome: Outcome, deadline_s: float) -> None:
        """Write down how it ended, if that can be done in time. May be called again."""
        self._measures.end(outcome)
        if not self._claimed.is_set():
            return
        part = self.part(outcome)
        try:
            async with asyncio.timeout(deadline_s):
                while not self._is_refused and self._written != part:
                    if not await self._write(part):
                        await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            logger.warning("record not written")

    async def _write(self, part: Part) -> bool:
        """Write it; False when Redis does not take it now."""
        try:
            await self._store.records.write(self._assignment.session_id, part)
        except (StoreUnavailable, WrongSchema):
            self._news.set()
            return False
        except SessionError as error:
            # Another agent has the session, or its user was forgotten.
            logger.info("record not taken", extra={"code": error.code})
            self._is_refused = True
            return False
        except Exception:
            logger.exception("record cannot be written")
            self._is_refused = True
            return False
        self._written = part
        return True

    def _on_state(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self.mark(Moment.GREETED)

    def _on_heard(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            self.mark(Moment.USER_SPOKE)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        times = turn_times(event.item)
        if times is None:
            return
        if times.role == "user":
            self.mark(Moment.USER_SPOKE)
        self._measures.turn(times)
        if self._trail is not None:
            self._trail.turn(times, spoken_s(event.item))
        self._turns.append(times)
        self._turns_count += 1
        self._news.set()
