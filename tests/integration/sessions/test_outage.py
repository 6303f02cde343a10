"""Redis is away, full, or somebody else's replica: callers learn it soon, and nothing is lost."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.services.ports import LOOPBACK, free_port, random_ports
from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.errors import AtCapacity, SessionOver, StaleEpoch, StoreUnavailable
from sessions.ids import SessionId, WorkerId
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.support.redis_topologies import Server, command, farm
from tests.support.wait import eventually

#: Nothing here takes a second; the library's own defaults would hold a caller for a minute.
NO_HANG_S = 5.0
NO_HANG_PATIENT_S = 60.0

MakeStore = Callable[..., SessionStore]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis that keeps its data, for one test alone."""
    with farm(tmp_path) as servers:
        yield servers.server(is_durable=True)


@pytest.fixture
async def connected(server: Server) -> AsyncIterator[MakeStore]:
    """Makes stores, each with a client of its own."""
    clients = []

    def make(temper: Temper = Temper.HASTY, **changes: object) -> SessionStore:
        url = SecretStr(server.url)
        settings = StoreSettings(redis_url=url, user_starts_per_minute=0).model_copy(update=changes)
        clients.append(connect(settings, temper))
        return SessionStore(clients[-1], settings)

    yield make
    for client in clients:
        await client.aclose()


async def test_nobody_listens() -> None:
    url = f"redis://:hunter2hunter2@127.0.0.1:{random_ports().redis}/0"
    settings = StoreSettings(redis_url=SecretStr(url))
    redis = connect(settings, Temper.HASTY)
    with pytest.raises(StoreUnavailable) as caught:
        await SessionStore(redis, settings).admit(newcomer())
    await redis.aclose()
    assert "hunter2" not in str(caught.value) + repr(settings)
    assert caught.value.__cause__ is None


async def test_a_frozen_redis_does_not_freeze_its_callers(
    server: Server, connected: MakeStore
) -> None:
    """1. Redis is stopped in mid-air (SIGSTOP). 2. A hundred hasty callers ask, and are collected
    behind each other.

    Result: StoreUnavailable for all of them, soon; the same client works once Redis does.
    """
    store = connected()
    await store.ping()
    with server.frozen():
        async with asyncio.timeout(NO_HANG_S):
            outcomes = await asyncio.gather(
                *(store.renew(newcomer().id, 1) for _ in range(100)), return_exceptions=True
            )
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    await store.admit(newcomer())


async def test_views_do_not_hang_on_a_frozen_redis(server: Server, connected: MakeStore) -> None:
    store = connected()
    await store.ping()
    reads = (
        *(store.ping, store.views.counts, store.fleet.workers, store.queue.due),
        *(store.journal.cursor, lambda: store.journal.follow("0-0"), store.fleet.pool),
    )
    with server.frozen():
        async with asyncio.timeout(NO_HANG_S):
            outcomes = await asyncio.gather(*(read() for read in reads), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * len(reads)
    await store.ping()


@pytest.mark.timeout(150)
async def test_the_patient_ride_out_a_restart(server: Server, connected: MakeStore) -> None:
    """1. Redis stops in good order. 2. Patient callers ask. 3. It starts again.

    Result: each call succeeds or raises StoreUnavailable, and repeating it helps; what was there
    before is there after.
    """
    store = connected(Temper.PATIENT)
    before = newcomer()
    await store.admit(before)
    await asyncio.to_thread(server.stop)
    during = [newcomer() for _ in range(20)]
    calls = [asyncio.create_task(store.admit(session)) for session in during]
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(NO_HANG_PATIENT_S):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(outcome) for outcome in failed} <= {StoreUnavailable}
    for session in (before, *during):
        assert (await store.admit(session)).status is State.STARTING
    assert (await store.occupancy()).starting == 21


async def test_forgotten_scripts_are_invisible(server: Server, connected: MakeStore) -> None:
    """Redis forgets its scripts between calls and while many are under way."""
    stores = [connected(max_sessions=2000) for _ in range(3)]
    with server.admin() as admin:
        await stores[0].admit(newcomer())
        command(admin, "SCRIPT FLUSH")
        await stores[0].admit(newcomer())
        for _ in range(10):
            calls = [store.admit(newcomer()) for store in stores for _ in range(40)]
            await asyncio.gather(*calls, asyncio.to_thread(command, admin, "SCRIPT FLUSH"))
    assert (await stores[0].occupancy()).starting == 1202


async def test_a_cancelled_caller_does_not_disturb_the_others(connected: MakeStore) -> None:
    store = connected(max_sessions=1000)
    for _ in range(10):
        calls = [asyncio.create_task(store.admit(newcomer())) for _ in range(90)]
        await asyncio.sleep(0)  # all have asked now, and none has an answer
        for call in calls[::3]:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        kept = [outcome for place, outcome in enumerate(outcomes) if place % 3]
        assert not [outcome for outcome in kept if isinstance(outcome, BaseException)]
    async with asyncio.timeout(NO_HANG_S):
        await store.ping()


async def test_no_call_is_left_behind(connected: MakeStore) -> None:
    """Calls one after the other, in bursts, and each as soon as the one before is answered.

    A sender of calls that was done, and not yet known to be, once left the next call waiting for
    ever.
    """
    store = connected()

    async def chain(length: int) -> None:
        for _ in range(length):
            await store.fleet.leave(WorkerId("nobody"))

    async with asyncio.timeout(NO_HANG_PATIENT_S):
        await chain(500)
        for width in (1, 2, 3, 31, 32, 33, 64, 65, 200):
            await asyncio.gather(*(chain(5) for _ in range(width)))
            await chain(1)


async def test_a_full_redis_is_unavailable_and_recovers(
    server: Server, connected: MakeStore
) -> None:
    """What frees memory, such as the end of a session, may work meanwhile."""
    store = connected()
    session = newcomer()
    await store.admit(session)
    with server.admin() as admin:
        command(admin, "CONFIG SET", "maxmemory", 1)
        for write in (store.admit(newcomer()), store.claim(session.id, 1, agent())):
            with pytest.raises(StoreUnavailable):
                await write
        with pytest.raises(StoreUnavailable):
            await store.fleet.set_pool_target(1)
        assert (await store.get(session.id)).status is State.STARTING
        command(admin, "CONFIG SET", "maxmemory", 0)
    assert (await store.end(session.id)).changed


async def test_a_replica_is_unavailable_and_recovers(server: Server, connected: MakeStore) -> None:
    store = connected()
    session = newcomer()
    await store.admit(session)
    with server.admin() as admin:
        command(admin, "REPLICAOF", LOOPBACK, free_port())
        for write in (store.admit(newcomer()), store.end(session.id)):
            with pytest.raises(StoreUnavailable):
                await write
        with pytest.raises(StoreUnavailable):
            await store.fleet.set_pool_target(1)
        command(admin, "REPLICAOF", "NO", "ONE")
    assert (await store.end(session.id)).changed


@dataclass
class _Story:
    """What became of two healthy sessions and one that waits, after Redis had been away."""

    lost: list[SessionId] = field(default_factory=list)
    sent_away: set[SessionId] = field(default_factory=set)
    dropped: tuple[SessionId, ...] = ()
    intruders: int = 0
    most_taken: int = 0


async def _after_an_outage(store: SessionStore, away_ms: int) -> _Story:
    """1. Two sessions are served, one waits. 2. Redis is away. 3. It is back: everybody asks before
    the agents do. 4. The agents go on with their heartbeats.
    """
    story, served, waiting = _Story(), [newcomer(), newcomer()], newcomer()
    for session in served:
        await store.admit(session)
        await store.claim(session.id, 1, agent(session.id))
    await store.admit(waiting, may_wait=True)
    store.now_ms = (store.now_ms or 0) + away_ms
    story.dropped = (await store.queue.advance()).expired
    try:
        await store.admit(newcomer())
        story.intruders += 1
    except AtCapacity:
        pass
    for _ in range(10):
        await _sweep_and_beat(store, story, [session.id for session in served])
    return story


async def _sweep_and_beat(store: SessionStore, story: _Story, served: Sequence[SessionId]) -> None:
    """Two passes of the sweep, then the heartbeats, all within a third of a lease."""
    for _ in range(2):
        for session_id in await store.suspects():
            if (await store.lose(session_id, "no heartbeat")).changed:
                story.lost.append(session_id)
        await pass_time(store, 1_200, step_ms=600)
    for session_id in served:
        try:
            await store.renew(session_id, 1)
        except (SessionOver, StaleEpoch):
            story.sent_away.add(session_id)
    story.most_taken = max(story.most_taken, (await store.occupancy()).taken)


@pytest.fixture
def make_small(redis: Client, settings: StoreSettings) -> Callable[[], SessionStore]:
    """Makes stores of two slots, with a clock of their own."""

    def make() -> SessionStore:
        limits = settings.model_copy(update={"max_sessions": 2})
        return SessionStore(redis, limits, now_ms=1_000_000)

    return make


AWAY_MS = (3_000, 9_000, 60_000, 3_600_000)
"""Less than a lease, more than one, more than one and its grace, much more."""


@pytest.mark.parametrize("away_ms", AWAY_MS)
async def test_an_outage_costs_no_healthy_session(
    make_small: Callable[[], SessionStore], away_ms: int
) -> None:
    story = await _after_an_outage(make_small(), away_ms)
    assert story == _Story(most_taken=2)


async def test_without_the_outage_rule_healthy_sessions_are_lost(
    make_small: Callable[[], SessionStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same story, with a store that takes no gap for an outage.

    Result: both agents are sent away although they are well, one session finds its slot given to
    somebody who came later and fails, and the one that waits loses its place.
    """
    monkeypatch.setattr("sessions.settings._GAP_PER_LEASE", 1e9)
    store = make_small()
    story = await _after_an_outage(store, 60_000)
    assert story.sent_away == set(story.lost)
    assert len(story.lost) == 2
    became = {(await store.get(session_id)).status for session_id in story.lost}
    assert became == {State.STARTING, State.ENDING}
    assert len(story.dropped) == 1
    assert story.intruders == 1


async def test_an_agent_that_stays_silent_after_an_outage_is_lost(
    make_small: Callable[[], SessionStore],
) -> None:
    """The period of grace ends: one full lease after Redis is back, silence counts again."""
    store, session = make_small(), newcomer()
    await store.admit(session)
    await store.claim(session.id, 1, agent())
    store.now_ms = 1_060_000
    assert await store.suspects() == []
    await pass_time(store, 5_000)
    assert await store.suspects() == []
    await pass_time(store, 1_000)
    assert await store.suspects() == []
    await pass_time(store, 500)
    assert await store.suspects() == [session.id]
    assert (await store.lose(session.id, "no heartbeat")).changed


@pytest.mark.timeout(150)
async def test_nobody_is_lost_because_redis_was_frozen(
    server: Server, connected: MakeStore
) -> None:
    """1. Five agents send heartbeats; a sweep looks for lost ones all the time. 2. Redis stands
    still for longer than a lease and its grace. 3. It goes on.

    Result: nobody was lost and nobody came in, although every slot had lapsed.
    """
    limits = {"agent_lease_s": 3.0, "suspicion_s": 0.2, "slot_grace_s": 0.2, "max_sessions": 5}
    store, sweeper = connected(**limits), connected(**limits)
    sessions = [newcomer() for _ in range(5)]
    for session in sessions:
        await store.admit(session)
        await store.claim(session.id, 1, agent(secrets.token_hex(4)))
    beats = dict.fromkeys((session.id for session in sessions), 0)
    wrongs: list[object] = []

    async def beat() -> None:
        for session_id in beats:
            try:
                await store.renew(session_id, 1)
            except StoreUnavailable:
                continue
            beats[session_id] += 1

    async def sweep() -> None:
        try:
            wrongs.extend(await sweeper.suspects())
            outcome = (await asyncio.gather(sweeper.admit(newcomer()), return_exceptions=True))[0]
            if not isinstance(outcome, BaseException):
                wrongs.append(outcome)
        except StoreUnavailable:
            return

    async with asyncio.TaskGroup() as loops:
        over = asyncio.Event()
        loops.create_task(_repeat(beat, 0.3, over))
        loops.create_task(_repeat(sweep, 0.1, over))
        await eventually(lambda: _all_beat(beats, 2))
        with server.frozen():
            await asyncio.sleep(4.0)  # not to wait for something: this long Redis is away
        enough = max(beats.values()) + 15
        await eventually(lambda: _all_beat(beats, enough))
        # Not cancelled, which the library may swallow (see supervisor/loop.py).
        over.set()
    assert wrongs == []
    assert {(await store.get(session_id)).epoch for session_id in beats} == {1}


async def _repeat(work: Callable[[], Awaitable[None]], pause_s: float, over: asyncio.Event) -> None:
    while not over.is_set():
        await work()
        await asyncio.sleep(pause_s)


async def _all_beat(beats: Mapping[SessionId, int], count: int) -> bool:
    return min(beats.values()) >= count
