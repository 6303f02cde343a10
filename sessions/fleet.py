"""The workers there are, what they can take, and how many warm processes they shall keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.ids import UserId, WorkerId, checked_worker_id, user_digest
from sessions.scripts import translated_errors
from sessions.settings import milliseconds
from sessions.text import clean

#: One pass notes so many lapsed workers; the next one goes on.
_WORKERS_PER_PASS = 100
_MAX_POOL_TARGET = 10_000
#: A user's last sessions may have found no agent at all.
_SESSIONS_LOOKED_AT = 5
#: One of so many places of a worker is no longer promised to anybody.
_RESERVED_SHARE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a worker says of itself when it comes."""

    id: WorkerId
    capacity: int
    host: str
    version: str
    #: The id LiveKit gave it; changes with every reconnect.
    livekit_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a worker says of itself with every heartbeat."""

    active: int
    idle: int
    #: From 0 to 1.
    load: float
    #: All processes it has started since it registered; it only grows.
    spawned: int
    is_draining: bool = False
    livekit_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is to do, as the answer to its heartbeat."""

    is_draining: bool
    #: How many warm processes it shall keep; None while there is no target: its own number.
    pool_size: int | None
    #: Whether it drains because there are more workers than are wanted.
    is_surplus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker, as the fleet knows it. Times in ms since 1970."""

    id: WorkerId
    capacity: int
    active: int
    idle: int
    load: float
    is_draining: bool
    host: str
    version: str
    livekit_id: str
    registered_at_ms: int
    seen_at_ms: int
    #: Since when LiveKit is known to know it; None before.
    takes_since_ms: int | None = None
    #: Since when it drains because there are more workers than are wanted; None if it does not.
    surplus_since_ms: int | None = None

    @classmethod
    def from_hash(cls, worker_id: WorkerId, fields: Mapping[str, str]) -> Self:
        """Build a worker from the fields of its hash."""
        return cls(
            id=worker_id,
            capacity=int(fields["capacity"]),
            active=int(fields["active"]),
            idle=int(fields["idle"]),
            load=float(fields["load"]),
            is_draining=fields["draining"] == "1",
            host=fields["host"],
            version=fields["version"],
            livekit_id=fields["livekitId"],
            registered_at_ms=int(fields["registeredAt"]),
            seen_at_ms=int(fields["seenAt"]),
            takes_since_ms=int(fields["takesSince"]) if "takesSince" in fields else None,
            surplus_since_ms=int(fields["surplusAt"]) if "surplusAt" in fields else None,
        )

    @property
    def is_open(self) -> bool:
        """Whether it can be counted on for one more session.

        What it said may be a heartbeat old, and others may be on their way to it: a tenth of its
        places has to be free.
        """
        free = self.capacity - self.active
        return not self.is_draining and free >= max(1, self.capacity // _RESERVED_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferredWorker:
    """The worker that had a user's last session."""

    id: WorkerId
    #: None when it is not in the list any more.
    listed: Worker | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """What the fleet's warm processes are good for, counted since the store is there."""

    target: int | None
    total_spawned: int
    #: Sessions that got a warm process.
    total_assigned: int
    #: Sessions that had to wait for one to start.
    total_cold: int


class Fleet:
    """The registry of workers. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def register(self, worker: Registration) -> bool:
        """List a worker, or list it anew; False when it was listed before."""
        answer = await self._engine.run(
            "worker_register",
            id=checked_worker_id(worker.id),
            capacity=worker.capacity,
            host=clean(worker.host, 128),
            version=clean(worker.version, 64),
            livekitId=None if worker.livekit_id is None else clean(worker.livekit_id, 64),
        )
        return bool(answer["changed"])

    async def renew(self, worker_id: WorkerId, beat: Beat) -> Orders:
        """Prolong a worker's lease and return its orders. Raises WorkerNotFound: register again."""
        answer = await self._engine.run(
            "worker_renew",
            id=checked_worker_id(worker_id),
            active=beat.active,
            idle=beat.idle,
            load=beat.load,
            spawned=beat.spawned,
            draining=beat.is_draining,
            livekitId=None if beat.livekit_id is None else clean(beat.livekit_id, 64),
        )
        target = answer.get("poolTarget")
        size = None if target is None else share(target, answer["rank"], answer["workers"])
        return Orders(is_draining=answer["draining"], pool_size=size, is_surplus=answer["surplus"])

    async def drain(self, worker_id: WorkerId, *, is_draining: bool = True) -> bool:
        """Order a worker to take no more sessions, or to take some again. Raises WorkerNotFound."""
        answer = await self._engine.run(
            "worker_drain", id=checked_worker_id(worker_id), draining=is_draining
        )
        return bool(answer["changed"])

    async def drain_surplus(self, worker_id: WorkerId, *, pause_s: float = 0.0) -> bool:
        """Drain a worker because there are too many; False, and nothing is done, where it drains.

        The same while another one was drained so within the pause. Raises WorkerNotFound.
        """
        answer = await self._engine.run(
            "worker_drain",
            id=checked_worker_id(worker_id),
            draining=True,
            surplus=True,
            pauseMs=milliseconds(pause_s),
        )
        return bool(answer["changed"])

    async def restore_surplus(self, worker_id: WorkerId) -> bool:
        """Let a worker take calls again that was too many; False where somebody else wants it so.

        Raises WorkerNotFound.
        """
        answer = await self._engine.run(
            "worker_drain", id=checked_worker_id(worker_id), draining=False, surplus=True
        )
        return bool(answer["changed"])

    async def leave(self, worker_id: WorkerId) -> None:
        """Take a worker that stops in good order from the list."""
        await self._engine.run("worker_leave", id=checked_worker_id(worker_id))

    async def expire(self) -> list[WorkerId]:
        """Take workers whose lease has lapsed from the list, and return them; for a loop."""
        answer = await self._engine.run("worker_leave", limit=_WORKERS_PER_PASS)
        return [WorkerId(text) for text in answer.get("gone", ())]

    async def workers(self) -> list[Worker]:
        """Return the workers whose lease holds, by id."""
        engine, now_ms = self._engine, await self._engine.now()
        with translated_errors():
            ids = await engine.redis.zrange(engine.keys.workers, f"({now_ms}", "+inf", byscore=True)
            names = sorted(WorkerId(str(text)) for text in ids)
            pipeline = engine.redis.pipeline(transaction=False)
            for name in names:
                pipeline.hgetall(engine.keys.worker(name))
            rows = await pipeline.execute() if names else []
        return [Worker.from_hash(name, row) for name, row in zip(names, rows, strict=True) if row]

    async def preferred_worker(self, user_id: UserId) -> PreferredWorker | None:
        """Return the worker that had the user's last session, as long as that is on record.

        It may be gone, full or draining: who asks falls back on any other. One round trip.
        """
        answer = await self._engine.run(
            "prefer", user=user_digest(user_id), limit=_SESSIONS_LOOKED_AT
        )
        if "id" not in answer:
            return None
        worker_id, fields = WorkerId(answer["id"]), answer.get("worker")
        listed = None if fields is None else Worker.from_hash(worker_id, fields)
        return PreferredWorker(id=worker_id, listed=listed)

    async def set_pool_target(self, target: int | None) -> None:
        """Set how many warm processes the fleet shall have; with None each worker decides.

        Raises InvalidInput.
        """
        redis, key = self._engine.redis, self._engine.keys.pool_target
        if target is None:
            with translated_errors():
                await redis.delete(key)
            return
        if not 0 <= target <= _MAX_POOL_TARGET:
            raise InvalidInput(f"the pool may have 0 to {_MAX_POOL_TARGET} processes")
        with translated_errors():
            await redis.set(key, target)

    async def pool(self) -> PoolStats:
        """Return the target and the counters of the pool."""
        pipeline = self._engine.redis.pipeline(transaction=False)
        pipeline.get(self._engine.keys.pool_target)
        pipeline.hgetall(self._engine.keys.pool_stats)
        with translated_errors():
            target, counts = await pipeline.execute()
        return PoolStats(
            target=None if target is None else int(target),
            total_spawned=int(counts.get("total_spawned", 0)),
            total_assigned=int(counts.get("total_assigned", 0)),
            total_cold=int(counts.get("total_cold", 0)),
        )


def share(target: int, rank: int, workers: int) -> int:
    """Return how many of ``target`` processes the worker of this rank keeps; all shares add up."""
    return target // workers + (rank < target % workers)
