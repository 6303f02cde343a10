"""A session begins, ends or fails, and a program of somebody else's is to know.

Scenario: an integrator bills calls, or writes down who called. It does not ask for each session
all the time; what happens is posted to it, in order for each session (docs/webhooks.md).

Scenario: the receiver is down. What happens meanwhile is tried again, slower and slower, until it
is too old. A receiver that never answers is left alone for a while, then tried out with one.

Scenario: the leader dies. Up to where everything was settled stands in the store; the next leader
goes on from there. What was delivered beyond that is delivered again, under the same id.

Counter-scenario: one message is refused for good, or waits for its next attempt. Those of other
sessions pass it by.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from notices.backoff import pause_s
from notices.delivery import Courier, Outcome, Result
from notices.message import Message
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.store import SessionStore
from supervisor.pending import Entry, Mark, Pending, dropped_between
from supervisor.session_messages import TOLD, message_of
from telemetry.meter import Meter
from telemetry.metrics import NOTICE_AGE, NOTICES, NOTICES_WAITING

logger = logging.getLogger("supervisor")

KIND = "event"
_CURSOR = "cursor"
#: So many are posted at a time.
AT_ONCE = 8
#: No attempt begins later in a pass: the pass has a deadline, and each attempt one of its own.
_PASS_S = 10.0
_LOOK_S = 0.2
#: After so many failures in a row, whatever they were about, the receiver itself is what fails.
_FAILING = 3
_STORE_PAUSE_S = 1.0


class SessionEvents:
    """Tells of sessions. One leader does this at a time."""

    def __init__(
        self,
        store: SessionStore,
        courier: Courier,
        meter: Meter,
        *,
        give_up_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._courier = courier
        self._meter = meter
        self._give_up_ms = round(give_up_s * 1000)
        self._clock = clock
        self._pending: Pending | None = None
        #: Where the store has it that we are.
        self._kept: Mark | None = None
        #: Whether changes may have been dropped since we looked.
        self._is_unsure = True
        #: Failures in a row, and when the last of them was known.
        self._failures, self._failed_at = 0, 0.0
        self._pause_until = 0.0
        self._is_gone = False
        self._now_ms = 0

    async def tell_once(self) -> int:
        """Tell what has happened; return how many messages were delivered."""
        try:
            return await self._tell()
        except StoreUnavailable as error:
            self._is_unsure = True
            logger.warning("redis is away; no event is told", extra={"reason": str(error)})
            return 0

    async def _tell(self) -> int:
        self._now_ms = await self._store.now()
        pending = self._pending or await self._resume()
        if self._is_unsure:
            await self._look_for_a_gap(pending)
        await self._read(pending)
        await self._keep(pending)
        delivered = await self._deliver(pending)
        self._now_ms = await self._store.now()
        self._tell_meter(pending)
        return delivered

    async def _resume(self) -> Pending:
        """Go on from where the last leader was; from now on where there was none."""
        kept = Mark.from_text((await self._store.office.notices.read()).get(_CURSOR))
        if kept is None:
            cursor, extent = await self._store.journal.cursor(), await self._store.journal.extent()
            kept = Mark(cursor, extent.added or 0)
        else:
            self._kept = kept
        self._pending = Pending(kept)
        return self._pending

    async def _look_for_a_gap(self, pending: Pending) -> None:
        extent = await self._store.journal.extent()
        missed = dropped_between(pending.read, extent)
        if missed:
            self._meter.count(NOTICES, missed, kind=KIND, result="missed")
            logger.error("changes were dropped before they were told", extra={"changes": missed})
            pending.skip(missed)
        self._is_unsure = False

    async def _read(self, pending: Pending) -> None:
        """Take in what has changed, as much as the store keeps at most."""
        while not pending.is_full:
            changes = await self._store.journal.follow(pending.read.cursor, block_ms=1)
            for change in changes:
                pending.take(change, is_told=change.status in TOLD)
            if not changes:
                return
        # What is not taken in may be dropped before it is.
        self._is_unsure = True

    async def _deliver(self, pending: Pending) -> int:
        """Post what is due, until nothing is or the pass is over."""
        until, delivered = self._clock() + _PASS_S, 0
        under_way: dict[asyncio.Task[bool], Entry] = {}
        try:
            while True:
                while self._clock() < until and (entry := self._next(pending, len(under_way))):
                    entry.is_under_way = True
                    under_way[asyncio.create_task(self._try(entry, pending))] = entry
                if not under_way:
                    return delivered
                done, _ = await asyncio.wait(
                    under_way, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    under_way.pop(task).is_under_way = False
                    delivered += task.result()
                await self._read(pending)
                await self._keep(pending)
        finally:
            for task, entry in under_way.items():
                task.cancel()
                entry.is_under_way = False
            await asyncio.gather(*under_way, return_exceptions=True)

    def _next(self, pending: Pending, under_way: int) -> Entry | None:
        """Return what is to be tried now, if anything is."""
        now = self._clock()
        # One that fails all the time is tried out with one message.
        most = 1 if self._failures >= _FAILING else AT_ONCE
        if under_way >= most or now < self._pause_until:
            return None
        return pending.next_due(now)

    async def _try(self, entry: Entry, pending: Pending) -> bool:
        """Post one message, and settle it or put it off; say whether it was delivered."""
        began = self._clock()
        try:
            outcome = await self._post(entry)
        except StoreUnavailable:
            entry.due = began + _STORE_PAUSE_S
            return False
        if outcome is None:
            pending.settle(entry)
            return False
        self._note(outcome, began)
        self._meter.count(NOTICES, kind=KIND, result=outcome.result)
        if outcome.result is Result.FAILED:
            entry.failures += 1
            wait_s = pause_s(entry.failures, outcome.retry_after_s)
            entry.due = self._clock() + wait_s
            self._log(logging.WARNING, "an event could not be delivered yet", entry, outcome.reason)
            return False
        pending.settle(entry)
        if outcome.result is not Result.DELIVERED:
            self._log(logging.ERROR, "an event was refused", entry, outcome.reason)
        return outcome.result is Result.DELIVERED

    async def _post(self, entry: Entry) -> Outcome | None:
        """Try once; None for what is not to be told. Raises StoreUnavailable."""
        # Written anew each time: what somebody wants forgotten meanwhile is not told any more.
        message = await self._message(entry)
        if message is None:
            return None
        if self._is_gone:
            self._meter.count(NOTICES, kind=KIND, result=Result.GONE)
            return None
        if self._now_ms - entry.change.at_ms > self._give_up_ms:
            self._meter.count(NOTICES, kind=KIND, result="given_up")
            self._log(logging.ERROR, "an event is given up", entry, "too_old")
            return None
        return await self._courier.send(message)

    async def _message(self, entry: Entry) -> Message | None:
        """Write the message; None where there is nothing to tell. Raises StoreUnavailable."""
        session_id = entry.change.session_id
        try:
            session = await self._store.get(session_id)
            events = await self._store.journal.events(session_id)
        except SessionNotFound:
            # Its record has expired, or its user was forgotten.
            self._meter.count(NOTICES, kind=KIND, result="missed")
            self._log(logging.WARNING, "an event cannot be told", entry, "no_record")
            return None
        return message_of(entry.change, session, events)

    def _note(self, outcome: Outcome, began: float) -> None:
        """Learn from an outcome how the receiver is."""
        if outcome.result is not Result.FAILED:
            self._failures, self._pause_until = 0, 0.0
            self._is_gone = outcome.result is Result.GONE
            return
        if began >= self._failed_at:  # those that were sent at the same time say nothing more
            self._failures, self._failed_at = self._failures + 1, self._clock()
        if self._failures >= _FAILING or outcome.retry_after_s is not None:
            failures = max(1, self._failures - _FAILING + 1)
            wait_s = pause_s(failures, outcome.retry_after_s)
            self._pause_until = max(self._pause_until, self._clock() + wait_s)

    async def _keep(self, pending: Pending) -> None:
        """Write down up to where all is settled. Raises Deposed, StoreUnavailable."""
        mark = pending.settled
        if mark != self._kept:
            await self._store.office.notices.write({_CURSOR: mark.to_text()})
            self._kept = mark

    def _tell_meter(self, pending: Pending) -> None:
        oldest_ms = pending.oldest_ms or self._now_ms
        self._meter.set(NOTICES_WAITING, len(pending), kind=KIND)
        self._meter.set(NOTICE_AGE, max(0, self._now_ms - oldest_ms) / 1000, kind=KIND)

    @staticmethod
    def _log(level: int, words: str, entry: Entry, reason: str) -> None:
        change = entry.change
        fields = {"session_id": change.session_id, "revision": change.revision, "reason": reason}
        logger.log(level, words, extra=fields)
