"""What the watcher sees of a fleet at one moment, and what it finds wrong with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sessions.batch import Client
from sessions.fleet import Worker
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import Session
from sessions.states import LIVE, TERMINAL, State
from sessions.store import SessionStore
from tests.integration.sessions.invariants import LEFT_TO_OWNERS
from tests.integration.sessions.observe import Picture, look

#: Nothing is known of what went on in a gap between two looks that is longer; it does not count.
_LONGEST_GAP_S = 1.0
#: Of a worker that lives: it beats twice a second, on a machine that is not too busy.
_HEARD_OF_WITHIN_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that must not be."""

    #: As reliability notes number them: I1 … I12.
    rule: str
    #: What it is about: a session, a room, a key.
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation(Finding):
    """A finding, and when it was first seen, in seconds since the watcher began."""

    at_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.1f} s: {self.rule}: {self.subject}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The store at one moment."""

    #: By `time.monotonic`.
    at: float
    #: By Redis's clock.
    now_ms: int
    picture: Picture
    workers: Mapping[str, Worker]
    #: Seconds since the sight before, as far as they count: Redis was there all the time.
    elapsed_s: float

    @property
    def live(self) -> set[SessionId]:
        """Sessions that are not over, and those whose room is being closed."""
        indexes = self.picture.indexes
        return {id_ for state in (*LIVE, State.ENDING) for id_ in indexes[state]}

    @property
    def is_staffed(self) -> bool:
        """Whether there is a worker that LiveKit could give a job to.

        One that is dead is in the list until its lease lapses, but is not heard of any more.
        """
        return any(
            one.takes_since_ms is not None
            and not one.is_draining
            and self.now_ms - one.seen_at_ms < _HEARD_OF_WITHIN_MS
            for one in self.workers.values()
        )


@dataclass(frozen=True, kw_only=True)
class RoomSight:
    """Which agents are in which room."""

    at: float
    agents: Mapping[str, frozenset[str]]
    #: Seconds since the sight before, as far as LiveKit was there all the time.
    elapsed_s: float


class Eye:
    """Looks at a store, past all proxies. What it looks at closes with `redis`."""

    def __init__(self, redis: Client, store: SessionStore, keys: Keys) -> None:
        self.redis, self.store, self.keys = redis, store, keys
        self._shards = dict[str, Redis]()
        #: Sessions as they were when they were over: they do not change any more.
        self.finals: dict[SessionId, Session] = {}
        self._known: set[SessionId] = set()
        #: Those that were over before the first look.
        self._former: set[SessionId] | None = None
        self._looked_at: float | None = None

    async def look(self) -> Sight:
        """Return the store as it is. May raise RedisError and StoreUnavailable.

        Of a session that was not there at the last look only the state is known yet.
        """
        now_ms = await self.store.now()
        workers = await self.store.fleet.workers()
        picture = await look(self._shard(), self.keys, self._known)
        at = time.monotonic()
        over = {id_ for state in TERMINAL for id_ in picture.indexes[state]}
        if self._former is None:
            self._former = over
        sight = Sight(
            at=at,
            now_ms=now_ms,
            picture=picture,
            workers={one.id: one for one in workers},
            elapsed_s=gap_s(self._looked_at, at),
        )
        self._looked_at = at
        self.finals |= {id_: one for id_, one in picture.sessions.items() if id_ in over}
        self._known |= sight.live | (over - self._former)
        self._known -= self.finals.keys() - sight.live
        return sight

    async def lasting_keys(self) -> list[str]:
        """Return the keys that have no TTL, but for those that are the store itself."""
        pattern = f"{self.keys.store.removesuffix('store')}*"
        redis = self._shard()
        names = [str(name) async for name in redis.scan_iter(pattern, count=1_000)]
        pipeline = redis.pipeline(transaction=False)
        for name in names:
            pipeline.ttl(name)
        ttls = await pipeline.execute() if names else []
        lasting = {name for name, ttl in zip(names, ttls, strict=True) if ttl == -1}
        return sorted(lasting - {getattr(self.keys, name) for name in LEFT_TO_OWNERS})

    def blink(self) -> None:
        """Count no time from the last look to the next one: Redis was away."""
        self._looked_at = None

    async def aclose(self) -> None:
        """Close the connections."""
        for one in (self.redis, *self._shards.values()):
            await one.aclose()

    def _shard(self) -> Redis:
        """Return the server that has the keys; of a cluster, the one that its client knows of.

        A cluster's client cannot read all of them at one moment.
        """
        if isinstance(self.redis, Redis):
            return self.redis
        node = self.redis.get_node_from_key(self.keys.store)
        assert node is not None, "the cluster was not looked at yet"
        if node.name not in self._shards:
            options = node.connection_kwargs
            self._shards[node.name] = Redis(
                host=str(node.host),
                port=int(node.port),
                decode_responses=True,
                socket_timeout=options["socket_timeout"],
                socket_connect_timeout=options["socket_connect_timeout"],
                retry=Retry(NoBackoff(), 0),
            )
        return self._shards[node.name]


def gap_s(before: float | None, now: float) -> float:
    """Return the time since a look, as far as it counts."""
    return 0.0 if before is None else min(now - before, _LONGEST_GAP_S)


class Held:
    """How long things have been so, without a break, in time that counts."""

    def __init__(self) -> None:
        self._for_s: dict[str, float] = {}

    def longer_than(self, limit_s: float, subjects: Iterable[str], elapsed_s: float) -> list[str]:
        """Note that these are so now, and no others; return those that have been for longer."""
        before = self._for_s
        self._for_s = {one: before[one] + elapsed_s if one in before else 0.0 for one in subjects}
        return [one for one, held_s in self._for_s.items() if held_s > limit_s]
