"""Read views: for the API's lists, the console and the metrics. They write nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from redis.asyncio.cluster import RedisCluster

from sessions.budget import Budget, read_budget
from sessions.codec import to_session
from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.fleet import Fleet, Worker
from sessions.ids import SessionId, UserId, WorkerId
from sessions.minutes import History, read_history
from sessions.model import Occupancy, Session
from sessions.outages import Outage, read_outages
from sessions.pool import PoolStats
from sessions.scripts import translated_errors
from sessions.settings import STARTUPS_KEPT
from sessions.states import HOLDING, State

#: What a summary tells of the time before it.
RECENT_MINUTES = 15

_MAX_PAGE = 200
#: How many records one page looks at in search of those that fit.
_MAX_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some sessions, and where to go on."""

    sessions: tuple[Session, ...]
    #: Pass it as `after` for the next page; None at the end.
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Who waits for a slot."""

    length: int
    #: How long the first in line has waited, in ms; None while nobody does.
    oldest_wait_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSummary:
    """Everything at a glance."""

    #: When it was, in ms since 1970 by Redis's clock.
    at_ms: int
    sessions: dict[State, int]
    line: Line
    capacity: int
    workers: tuple[Worker, ...]
    pool: PoolStats
    #: Percentile -> ms; None while there were no starts.
    startup_ms: dict[int, int | None]
    #: The last `RECENT_MINUTES`.
    recent: History
    #: Providers' models that are down.
    outages: tuple[Outage, ...]

    @property
    def idle(self) -> int:
        """Warm processes that wait for a session."""
        return sum(worker.idle for worker in self.workers)


class Views:
    """What can be asked about many sessions at once."""

    def __init__(self, engine: Engine, fleet: Fleet) -> None:
        self._engine = engine
        self._fleet = fleet

    async def summary(self) -> FleetSummary:
        """Return the fleet at a glance, with the start latency of the last sessions."""
        sessions, at_ms = await self.counts(), await self._engine.now()
        return FleetSummary(
            at_ms=at_ms,
            sessions=sessions,
            line=await self._line(sessions[State.QUEUED], at_ms),
            capacity=self._engine.settings.max_sessions,
            workers=tuple(await self._fleet.workers()),
            pool=await self._fleet.pool(),
            startup_ms=await self.startups_ms((50, 90, 95, 99)),
            recent=await self.history(RECENT_MINUTES),
            outages=tuple(await read_outages(self._engine)),
        )

    async def history(self, minutes: int) -> History:
        """Return what happened in the last so many minutes, this one included; 120 are kept.

        Raises InvalidInput.
        """
        return await read_history(self._engine, minutes)

    async def budget(self) -> Budget:
        """Return how the error budget stands."""
        return await read_budget(self._engine)

    async def by_state(
        self,
        state: State,
        *,
        limit: int = 50,
        after: str | None = None,
        worker_id: WorkerId | None = None,
        user_id: UserId | None = None,
    ) -> Page:
        """Return sessions in a state, the newest first; those that wait or whose room is to be
        closed, the oldest first.

        With a filter, a page may be short, or empty, with more to come: it looks at 2,000 records
        at most. Raises InvalidInput for a cursor that is none.
        """
        limit = max(1, min(limit, _MAX_PAGE))
        found: list[Session] = []
        looked_at = 0
        cursor = after
        while len(found) < limit and looked_at < _MAX_LOOKED_AT:
            entries = await self._entries(state, cursor, limit)
            sessions = await self.sessions([session_id for session_id, _ in entries])
            for session_id, score in entries:
                cursor, looked_at = f"{score:.0f}:{session_id}", looked_at + 1
                session = sessions.get(session_id)
                if session is not None and _fits(session, state, worker_id, user_id):
                    found.append(session)
                    if len(found) == limit:
                        break
            if len(entries) < limit:
                return Page(sessions=tuple(found), next=cursor if len(found) == limit else None)
        return Page(sessions=tuple(found), next=cursor)

    async def by_user(self, user_id: UserId) -> list[Session]:
        """Return a user's live session and those still on record, the newest first."""
        with translated_errors():
            ids = await self._engine.redis.zrange(
                self._engine.keys.user(user_id), 0, _MAX_PAGE - 1, desc=True
            )
        return list((await self.sessions([SessionId(str(text)) for text in ids])).values())

    async def sessions(self, ids: Sequence[SessionId]) -> dict[SessionId, Session]:
        """Return several sessions at once; without those whose record has expired."""
        if not ids:
            return {}
        pipeline = self._engine.redis.pipeline(transaction=False)
        for session_id in ids:
            pipeline.hgetall(self._engine.keys.session(session_id))
        with translated_errors():
            rows = await pipeline.execute()
        return {
            session_id: to_session(session_id, row)
            for session_id, row in zip(ids, rows, strict=True)
            if row
        }

    async def counts(self) -> dict[State, int]:
        """Return how many sessions are in each state."""
        redis = self._engine.redis
        # The library's transactions on a cluster connect in event loops of their own.
        pipeline = redis.pipeline(transaction=not isinstance(redis, RedisCluster))
        for state in State:
            pipeline.zcard(self._engine.keys.in_state(state))
        with translated_errors():
            numbers = await pipeline.execute()
        return dict(zip(State, (int(number) for number in numbers), strict=True))

    async def totals(self) -> dict[str, int]:
        """Return what was counted since the store is there: `COUNTED`, and losses by cause."""
        with translated_errors():
            counts = await self._engine.redis.hgetall(self._engine.keys.counts)
        return {str(name): int(count) for name, count in counts.items()}

    async def startups_ms(
        self, percents: Sequence[int], last: int = STARTUPS_KEPT
    ) -> dict[int, int | None]:
        """Return percentiles of the start latency of the last sessions, in ms."""
        with translated_errors():
            texts = await self._engine.redis.lrange(self._engine.keys.startups, 0, last - 1)
        values = [int(text) for text in texts]
        return {percent: percentile(values, percent) for percent in percents}

    async def occupancy(self) -> Occupancy:
        """Return how many live sessions there are, and how fast the last ones started."""
        counts, startups = await self.counts(), await self.startups_ms((50, 95))
        return Occupancy(
            queued=counts[State.QUEUED],
            **{state.value: counts[state] for state in HOLDING},
            capacity=self._engine.settings.max_sessions,
            startup_p50_ms=startups[50],
            startup_p95_ms=startups[95],
        )

    async def _line(self, length: int, now_ms: int) -> Line:
        """Return how long the line is, and its first one's wait; who left it just now has none."""
        redis, keys, since = self._engine.redis, self._engine.keys, None
        with translated_errors():
            for text in await redis.zrange(keys.in_state(State.QUEUED), 0, 0):
                since = await redis.hget(keys.session(SessionId(str(text))), "createdAt")
        wait_ms = None if since is None else max(0, now_ms - int(since))
        return Line(length=length, oldest_wait_ms=wait_ms)

    async def _entries(
        self, state: State, after: str | None, limit: int
    ) -> list[tuple[SessionId, float]]:
        """Return the next ids of an index with their scores."""
        is_line = state in {State.QUEUED, State.ENDING}
        score, last_id = _cursor(after)
        bound = "-inf" if is_line else "+inf"
        start = bound if score is None else repr(score)
        # Ids of the same score lie in order of their bytes; those up to the cursor's are skipped.
        entries: list[tuple[SessionId, float]] = []
        offset = 0
        while len(entries) < limit:
            with translated_errors():
                rows: Any = await self._engine.redis.zrange(
                    self._engine.keys.in_state(state),
                    start,
                    "+inf" if is_line else "-inf",
                    desc=not is_line,
                    byscore=True,
                    offset=offset,
                    num=limit,
                    withscores=True,
                )
            offset += len(rows)
            for text, row_score in rows:
                session_id = SessionId(str(text))
                is_past = row_score == score and (
                    session_id <= last_id if is_line else session_id >= last_id
                )
                if not is_past:
                    entries.append((session_id, float(row_score)))
            if len(rows) < limit:
                break
        return entries[:limit]


def percentile(values: list[int], percent: int) -> int | None:
    """Return a percentile of the values, or None when there are none."""
    if len(values) < 2:
        return values[0] if values else None
    return round(quantiles(values, n=100, method="inclusive")[percent - 1])


def _fits(
    session: Session, state: State, worker_id: WorkerId | None, user_id: UserId | None
) -> bool:
    return (
        session.status is state
        and worker_id in {None, session.worker_id}
        and user_id in {None, session.user_id}
    )


def _cursor(text: str | None) -> tuple[float | None, str]:
    if text is None:
        return None, ""
    score, _, last_id = text.partition(":")
    if not (score.isascii() and score.isdigit()) or len(score) > 20:
        raise InvalidInput("this is no cursor")
    return float(score), last_id
