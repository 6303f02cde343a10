"""An agent's hold on its session, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from sessions.assignment import Assignment
from sessions.errors import (
    AgentAlreadyThere,
    QueueFull,
    SessionError,
    SessionNotFound,
    SessionOver,
    StaleEpoch,
    StillWaiting,
    StoreUnavailable,
    UserBusy,
)
from sessions.ids import SessionId, UserId, WorkerId, new_identity, new_session_id
from sessions.keys import Keys
from sessions.model import AgentProcess, Newcomer, Reply, UserPolicy, Vitals
from sessions.settings import SCHEMA, StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.support.wait import eventually
from worker.call.lease import Lease, LeaseLost

USER = UserId("ada")
AGENT = AgentProcess(worker_id=WorkerId("w1"), pid=42, job_id="AJ_1", prewarmed=True)


class Moody(SessionStore):
    """A store whose Redis is away for the first few renewals and claims."""

    outages = 3

    async def claim(self, session_id: SessionId, epoch: int, agent: AgentProcess) -> Reply:
        self._maybe_fail()
        return await super().claim(session_id, epoch, agent)

    async def renew(self, session_id: SessionId, epoch: int, vitals: Vitals | None = None) -> Reply:
        self._maybe_fail()
        return await super().renew(session_id, epoch, vitals)

    def _maybe_fail(self) -> None:
        self.outages -= 1
        if self.outages >= 0:
            raise StoreUnavailable("away")


class Held:
    """A lease being held by a task, as in a call."""

    def __init__(self, store: SessionStore, agent: AgentProcess = AGENT) -> None:
        self.id = new_session_id()
        self.identity = new_identity()
        self.published, self.joined = asyncio.Event(), asyncio.Event()
        self.agent = agent
        self.lease = self._lease(store)

    def _lease(
        self,
        store: SessionStore,
        *,
        admit_on_start: bool = False,
        policy: UserPolicy = UserPolicy.ALLOW,
    ) -> Lease:
        assignment = Assignment(
            session_id=self.id,
            user_id=USER,
            identity=self.identity,
            admit_on_start=admit_on_start,
            policy=policy,
        )
        return Lease(store, assignment, self.agent, interval_s=0.05)

    async def admit(self, store: SessionStore) -> None:
        await store.admit(Newcomer(id=self.id, user_id=USER, identity=self.identity))

    def let_agent_admit(self, store: SessionStore, policy: UserPolicy = UserPolicy.ALLOW) -> None:
        self.lease = self._lease(store, admit_on_start=True, policy=policy)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.lease.hold(self.published, self.joined))
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def why_lost(self) -> SessionError:
        with pytest.raises(LeaseLost) as caught:
            await asyncio.wait_for(self.lease.hold(self.published, self.joined), 10)
        return caught.value.cause


async def has_status(store: SessionStore, session_id: SessionId, status: State) -> bool:
    return (await store.get(session_id)).status is status


async def test_it_claims_reports_and_renews(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    held = Held(store)
    await held.admit(store)
    slots = Keys(settings.redis_prefix).slots
    async with held.holding():
        held.published.set()
        await eventually(lambda: has_status(store, held.id, State.READY))
        held.joined.set()
        await eventually(lambda: has_status(store, held.id, State.ACTIVE))
        session = await store.get(held.id)
        assert (session.worker_id, session.agent_pid, session.prewarmed) == ("w1", 42, True)
        before = float(await redis.zscore(slots, held.id) or 0)

        async def is_renewed() -> bool:
            return float(await redis.zscore(slots, held.id) or 0) > before

        await eventually(is_renewed)
    await held.lease.end()
    assert (await store.get(held.id)).status is State.ENDING
    await held.lease.mark_closed()
    assert (await store.get(held.id)).status is State.ENDED


async def test_a_store_that_is_broken_costs_beats_and_no_call(
    store: SessionStore, redis: Redis, settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """1. Something else stands where the session is kept. 2. The session is there again.

    Result: the lease is renewed again; it was told once that it is not.
    """
    held = Held(store)
    await held.admit(store)
    key = Keys(settings.redis_prefix).session(held.id)
    async with held.holding() as task:
        await eventually(lambda: has_status(store, held.id, State.STARTING))
        await held.lease.claimed.wait()
        kept = await redis.dump(key)
        assert kept is not None
        await redis.set(key, "nonsense")

        async def has_failed() -> bool:
            return "the store does not take it" in caplog.text

        await eventually(has_failed)
        await redis.restore(key, 0, kept, replace=True)
        with caplog.at_level("INFO"):
            held.published.set()
            await eventually(lambda: has_status(store, held.id, State.READY))
        assert not task.done()
    assert caplog.text.count("the store does not take it") == 1


async def test_ready_is_not_reported_before_the_track_is_there(store: SessionStore) -> None:
    held = Held(store)
    await held.admit(store)
    async with held.holding():
        held.joined.set()

        async def is_joined() -> bool:
            return (await store.get(held.id)).joined_at_ms is not None

        await eventually(is_joined)
        assert (await store.get(held.id)).status is State.STARTING


async def test_it_admits_a_session_that_starts_with_its_room(store: SessionStore) -> None:
    held = Held(store)
    held.let_agent_admit(store)
    async with held.holding():
        held.published.set()
        await eventually(lambda: _exists(store, held.id))
        await eventually(lambda: has_status(store, held.id, State.READY))


async def test_without_a_slot_it_leaves_its_user_in_line(
    redis: Redis, settings: StoreSettings
) -> None:
    """The ticket is that of a user in the room: nobody has to ask for it."""
    store = _store_of_one(redis, settings)
    holder, waiting = Held(store), Held(store)
    await holder.admit(store)
    waiting.let_agent_admit(store)
    for _ in range(2):
        with pytest.raises(LeaseLost) as caught:
            await waiting.lease.admit()
        assert isinstance(caught.value.cause, StillWaiting)
        session = await store.get(waiting.id)
        assert (session.status, session.claimed_at_ms) == (State.QUEUED, None)
        assert session.joined_at_ms is not None
    # As when Redis told too late whether it is needed.
    assert isinstance(await waiting.why_lost(), StillWaiting)
    await store.end(holder.id)
    async with waiting.holding():
        await eventually(lambda: _is_claimed(store, waiting.id))


async def test_without_a_place_in_line_it_is_refused(redis: Redis, settings: StoreSettings) -> None:
    store = _store_of_one(redis, settings, queue_limit=0)
    holder, refused = Held(store), Held(store)
    await holder.admit(store)
    refused.let_agent_admit(store)
    with pytest.raises(LeaseLost) as caught:
        await refused.lease.admit()
    assert isinstance(caught.value.cause, QueueFull)


async def test_a_user_may_be_allowed_one_session_only(
    redis: Redis, settings: StoreSettings
) -> None:
    store = _store_of_one(redis, settings)
    before, rejected, replacing = Held(store), Held(store), Held(store)
    await before.admit(store)
    rejected.let_agent_admit(store, UserPolicy.REJECT)
    with pytest.raises(LeaseLost) as caught:
        await rejected.lease.admit()
    assert isinstance(caught.value.cause, UserBusy)
    replacing.let_agent_admit(store, UserPolicy.REPLACE)
    await replacing.lease.admit()
    assert (await store.get(replacing.id)).status is State.STARTING
    assert (await store.get(before.id)).is_over


async def test_redis_may_be_away_for_a_while(redis: Redis, settings: StoreSettings) -> None:
    store = Moody(redis, settings)
    held = Held(store)
    await held.admit(store)
    async with held.holding() as task:
        held.published.set()
        await eventually(lambda: has_status(store, held.id, State.READY))
        store.outages = 3
        await eventually(lambda: _is_over(store))
        assert not task.done()


async def test_no_such_session(store: SessionStore) -> None:
    assert isinstance(await Held(store).why_lost(), SessionNotFound)


async def test_a_session_that_is_over(store: SessionStore) -> None:
    held = Held(store)
    await held.admit(store)
    await store.end(held.id)
    assert isinstance(await held.why_lost(), SessionOver)


async def test_a_second_agent_of_one_epoch(store: SessionStore) -> None:
    held = Held(store)
    await held.admit(store)
    other = AgentProcess(worker_id=WorkerId("w2"), pid=7, job_id="AJ_2", prewarmed=False)
    await store.claim(held.id, 1, other)
    assert isinstance(await held.why_lost(), AgentAlreadyThere)


async def test_an_agent_that_was_replaced_learns_it_from_its_heartbeat(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    held = Held(store)
    await held.admit(store)
    async with held.holding() as task:
        await eventually(lambda: _is_claimed(store, held.id))
        await redis.hset(Keys(settings.redis_prefix).session(held.id), "epoch", "2")
        with pytest.raises(LeaseLost) as caught:
            await asyncio.wait_for(asyncio.shield(task), 10)
        assert isinstance(caught.value.cause, StaleEpoch)
    await held.lease.end()
    assert (await store.get(held.id)).status is State.STARTING
    assert held.lease.is_replaced
    await held.lease.mark_closed()
    assert (await store.get(held.id)).is_live


async def test_what_redis_forgot_is_said_again(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    """1. An agent talks. 2. Redis comes back without its last second: claim and ready are lost.

    Result: the agent goes on, and the session is active again.
    """
    held, key = Held(store), Keys(settings.redis_prefix)
    await held.admit(store)
    async with held.holding() as task:
        held.published.set()
        held.joined.set()
        await eventually(lambda: has_status(store, held.id, State.ACTIVE))
        await redis.hdel(key.session(held.id), "jobId", "claimedAt", "readyAt", "joinedAt")
        await redis.hset(key.session(held.id), "status", "starting")
        await redis.zrem(key.in_state(State.ACTIVE), held.id)
        await redis.zadd(key.in_state(State.STARTING), {held.id: 1})
        await eventually(lambda: has_status(store, held.id, State.ACTIVE))
        assert (await store.get(held.id)).job_id == AGENT.job_id
        assert not task.done()


async def test_a_store_of_another_version_ends_no_call(
    store: SessionStore, redis: Redis, settings: StoreSettings
) -> None:
    held, key = Held(store), Keys(settings.redis_prefix)
    await held.admit(store)
    async with held.holding() as task:
        await eventually(lambda: _is_claimed(store, held.id))
        await redis.hset(key.store, "schema", "99")
        await asyncio.wait({task}, timeout=0.5)
        assert not task.done()
        await redis.hset(key.store, "schema", str(SCHEMA))
        held.published.set()
        await eventually(lambda: has_status(store, held.id, State.READY))


def _store_of_one(redis: Redis, settings: StoreSettings, **changes: object) -> SessionStore:
    """A store with one slot, which no other test has taken."""
    own = {"max_sessions": 1, "redis_prefix": f"test-{new_session_id()[:12]}"}
    return SessionStore(redis, settings.model_copy(update=own | changes))


async def _exists(store: SessionStore, session_id: SessionId) -> bool:
    try:
        await store.get(session_id)
    except SessionNotFound:
        return False
    return True


async def _is_claimed(store: SessionStore, session_id: SessionId) -> bool:
    return (await store.get(session_id)).claimed_at_ms is not None


async def _is_over(store: Moody) -> bool:
    return store.outages < 0
