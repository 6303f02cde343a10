"""The workers there are, what they can take, and how many warm processes they shall keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sessions.arrivals import Arrivals, read_arrivals
from sessions.engine import Engine
from sessions.ids import UserId, WorkerId, checked_worker_id, user_digest
from sessions.pool import PoolStats, Tuning, read_pool, write_target, write_tuning
from sessions.scripts import translated_errors
from sessions.settings import milliseconds
from sessions.text import clean

#: One pass notes so many lapsed workers; the next one goes on.
_WORKERS_PER_PASS = 100
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
    #: Of the processes it has started, those that it has told of before.
    spawned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a worker says of itself with every heartbeat."""

    active: int
    idle: int
    #: From 0 to 1.
    load: float
    #: All processes it has ever started; it only grows.
    spawned: int
    is_draining: bool = False
    livekit_id: str | None = None
    #: How many warm processes it is to have now.
    target: int = 0
    #: How long it takes until a warm process that was taken is replaced; None: not known.
    refill_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is to do, as the answer to its heartbeat."""

    is_draining: bool
    #: How many warm processes an admin wants it to keep; None while nobody has said so.
    pool_size: int | None
    #: How many of them it keeps at least for the fleet's traffic; 0 where nobody tunes the pool.
    traffic_size: int = 0
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
    #: How long it takes until a warm process that was taken is replaced; None: not known.
    refill_ms: int | None = None
    #: Since when it drains because there are more workers than are wanted; None if it does not.
    surplus_since_ms: int | None = None
    #: How many warm processes it is to have.
    target: int = 0

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
            refill_ms=int(fields["refillMs"]) if "refillMs" in fields else None,
            surplus_since_ms=int(fields["surplusAt"]) if "surplusAt" in fields else None,
            target=int(fields.get("target", 0)),
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
            spawned=worker.spawned,
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
            target=beat.target,
            spawned=beat.spawned,
            draining=beat.is_draining,
            livekitId=None if beat.livekit_id is None else clean(beat.livekit_id, 64),
            refillMs=beat.refill_ms,
        )
        # Who drains has no place among those who share.
        target, place = answer.get("poolTarget"), (answer.get("rank"), answer["workers"])
        return Orders(
            is_draining=answer["draining"],
            pool_size=None if target is None else share(target, *place),
            traffic_size=share(answer.get("poolTuned", 0), *place),
            is_surplus=answer["surplus"],
        )

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
        await write_target(self._engine, target)

    async def tune_pool(self, tuning: Tuning, *, ttl_s: int) -> bool:
        """Say how many the traffic asks for; each worker keeps its share of them, or more.

        Returns whether that is another number than before. It holds for `ttl_s`.
        """
        return await write_tuning(self._engine, tuning, ttl_s=ttl_s)

    async def pool(self) -> PoolStats:
        """Return the targets and the counters of the pool."""
        return await read_pool(self._engine)

    async def arrivals(self) -> Arrivals:
        """Return when sessions got their slots, in the last hour."""
        return await read_arrivals(self._engine)


def share(target: int, rank: int | None, workers: int) -> int:
    """Return how many of ``target`` processes the worker of this rank keeps; all shares add up."""
    if rank is None:
        return 0
    return target // workers + (rank < target % workers)
