"""What can be seen of a store: the answer to each call, and what Redis holds after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from redis.asyncio import Redis

from sessions.codec import to_session
from sessions.errors import SessionError
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore

Scores = dict[SessionId, float]


@dataclass(frozen=True)
class Refusal:
    """What a call raised. Exceptions themselves do not compare."""

    kind: str
    text: str


@dataclass(frozen=True)
class Call:
    """One call of a method, by name: the store and the model have the same ones."""

    method: str
    args: tuple[object, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    async def of_store(self, store: SessionStore) -> object:
        """Return what the store answers, or how it refuses."""
        try:
            return await attrgetter(self.method)(store)(*self.args, **self.options)
        except SessionError as error:
            return _refusal(error)

    def of_model(self, model: object) -> object:
        """Return what the model says that the store shall answer."""
        try:
            return attrgetter(self.method)(model)(*self.args, **self.options)
        except SessionError as error:
            return _refusal(error)


def call(method: str, *args: object, **options: object) -> Call:
    return Call(method, args, options)


def _refusal(error: SessionError) -> Refusal:
    return Refusal(type(error).__name__, str(error))


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All of the store at one moment, as Redis has it or as the model says it should."""

    sessions: dict[SessionId, Session]
    slots: Scores
    suspects: Scores
    tickets: Scores
    dispatches: Scores
    ghosts: Scores
    #: Who waits, by ticket number.
    line: Scores
    startups: tuple[int, ...]
    #: By the minute, counted from 1970: what happened in it, and how long first starts took.
    minutes: dict[int, tuple[int, ...]]
    #: By the hour, counted from 1970: first agents, failures.
    hours: dict[int, tuple[int, ...]]
    pool: dict[str, int]
    indexes: dict[State, frozenset[SessionId]]

    def slots_after(self, moment_ms: float) -> int:
        """Count the slots whose lease lapses after a moment."""
        return sum(lapse > moment_ms for lapse in self.slots.values())


async def look(redis: Redis, keys: Keys, ids: Iterable[SessionId]) -> Picture:
    """Read the store as it is, past all of its own code but for the decoding of a session."""
    ids = list(ids)
    pipeline = redis.pipeline(transaction=True)
    for name in (keys.slots, keys.suspects, keys.tickets, keys.dispatches, keys.ghosts):
        pipeline.zrange(name, 0, -1, withscores=True)
    for state in State:
        pipeline.zrange(keys.in_state(state), 0, -1, withscores=True)
    pipeline.lrange(keys.startups, 0, -1)
    pipeline.hvals(keys.minutes)
    pipeline.hvals(keys.hours)
    pipeline.hgetall(keys.pool_stats)
    for session_id in ids:
        pipeline.hgetall(keys.session(session_id))
    slots, suspects, tickets, dispatches, ghosts, *rest = await pipeline.execute()
    states = dict(zip(State, (_scores(rows) for rows in rest[: len(State)]), strict=True))
    startups, minutes, hours, pool, *hashes = rest[len(State) :]
    return Picture(
        sessions={
            session_id: to_session(session_id, fields)
            for session_id, fields in zip(ids, hashes, strict=True)
            if fields
        },
        slots=_scores(slots),
        suspects=_scores(suspects),
        tickets=_scores(tickets),
        dispatches=_scores(dispatches),
        ghosts=_scores(ghosts),
        line=states[State.QUEUED],
        startups=tuple(int(text) for text in startups),
        minutes=_ring(minutes),
        hours=_ring(hours),
        pool={str(name): int(number) for name, number in pool.items()},
        indexes={state: frozenset(scores) for state, scores in states.items()},
    )


def _ring(texts: Iterable[str]) -> dict[int, tuple[int, ...]]:
    numbers = [[int(number) for number in text.split()] for text in texts]
    return {at: tuple(counts) for at, *counts in numbers}


def _scores(rows: Iterable[tuple[Any, float]]) -> Scores:
    return {SessionId(str(member)): score for member, score in rows}
