"""All that is written of one session while it goes on: its words, its record, its log."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping

from pydantic import SecretStr

from sessions.assignment import Assignment
from sessions.store import SessionStore
from worker.call.logs import SessionLog
from worker.call.measures import Measures
from worker.call.moments import Moment
from worker.call.outcome import Outcome
from worker.call.recall import Recall
from worker.call.record import Record
from worker.call.trail import Trail
from worker.call.turns import Turns
from worker.settings import WorkerSettings
from worker.voice.voice import Voice

#: How long the end of a call waits for Redis to take the last words, before and after the room
#: is closed.
_LAST_WORDS_S = 2.0
_LAST_LINES_S = 2.0


class Chronicle:
    """Writes what happens, and knows what happened before. Nothing waits for it but the end."""

    def __init__(
        self,
        store: SessionStore,
        settings: WorkerSettings,
        assignment: Assignment,
        claimed: asyncio.Event,
        measures: Measures,
        *,
        trail: Trail,
    ) -> None:
        self._claimed = claimed
        self._trail = trail
        self.record = Record(store, assignment, claimed, measures, trail)
        self.recall = Recall(store, assignment)
        self._turns = Turns(store, assignment, claimed)
        self._log = SessionLog(store, assignment, secrets_of(settings))

    def begin(self, came: Mapping[Moment, float]) -> None:
        """Collect from now on. `came`: when the job came by what stages, in s since 1970."""
        self._log.bind()
        self._log.begin()
        for moment, at_s in came.items():
            self.record.mark(moment, at_s)
        self.record.mark(Moment.ENTERED)
        self.recall.begin()

    def watch(
        self,
        voice: Voice,
        published: asyncio.Event,
        joined: asyncio.Event,
    ) -> list[Coroutine[object, object, None]]:
        """Take down what happens to a voice; return what is to run until it is over."""
        self._turns.watch(voice.session)
        self.record.watch(voice.session)
        voice.observe(self.record.note)
        moments = {
            Moment.CLAIMED: self._claimed,
            Moment.PUBLISHED: published,
            Moment.USER_JOINED: joined,
        }
        return [self.record.expect(moments), self.record.keep(published)]

    def bind(self) -> None:
        """Let this task, and those that it starts, log on behalf of the session."""
        self._log.bind()

    async def finish(self, outcome: Outcome) -> None:
        """Write the last words and how it ended. A session that is over takes no more words."""
        self._trail.leave()
        self.recall.stop()
        await asyncio.gather(
            self._turns.flush(_LAST_WORDS_S), self.record.finish(outcome, _LAST_WORDS_S)
        )

    async def aclose(self, outcome: Outcome) -> None:
        """Write what could not be written before, and the last lines of the log."""
        self._trail.end(outcome)
        await self.record.finish(outcome, _LAST_WORDS_S)
        await self._log.finish(_LAST_LINES_S)


def secrets_of(settings: WorkerSettings) -> list[str]:
    """Return every secret that the settings hold."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
