"""The watcher sees each thing that must not be, and nothing where all is well.

Each story plants one violation into a real store, or a real room.
"""

from __future__ import annotations

import gc
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from livekit import api, rtc
from pydantic import SecretStr
from redis.asyncio import Redis

from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, WorkerId, new_session_id
from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.loop import run_every
from tests.chaos.halls import Halls, open_halls
from tests.chaos.watcher import Watcher, watching
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import running_loops
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.odd_server import odd_server, says
from tests.support.servers import LiveKitServer, RedisServer, running_livekit
from tests.support.wait import eventually

#: asyncio leaves the transport of an attempt that was given up to the garbage collector (seen with
#: CPython 3.11), and Redis is away in some of these.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

_WORKERS = (WorkerId("worker-1"), WorkerId("worker-2"))


@pytest.fixture(scope="module")
def livekit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    """One for these tests alone: a room that another test left open would be found here."""
    with running_livekit(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[FaultProxy]:
    """What is between the watcher and Redis."""
    async with fault_proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def settings(redis_server: RedisServer) -> StoreSettings:
    return StoreSettings(
        redis_url=SecretStr(redis_server.url),
        redis_prefix=f"test-{secrets.token_hex(6)}",
        max_sessions=1,
        user_starts_per_minute=0,
    )


@pytest.fixture
async def media_proxy(livekit_server: LiveKitServer) -> AsyncIterator[FaultProxy]:
    """What is between the watcher and LiveKit."""
    async with fault_proxy(livekit_server.port) as proxy:
        yield proxy


@pytest.fixture
async def halls(livekit_server: LiveKitServer, media_proxy: FaultProxy) -> AsyncIterator[Halls]:
    url = f"http://127.0.0.1:{media_proxy.port}"
    async with open_halls(url, livekit_server.api_key, livekit_server.api_secret) as halls:
        yield halls


@pytest.fixture
async def watcher(
    settings: StoreSettings, proxy: FaultProxy, halls: Halls
) -> AsyncIterator[Watcher]:
    """Looks all the time."""
    url = SecretStr(f"redis://127.0.0.1:{proxy.port}/0")
    async with watching(settings.model_copy(update={"redis_url": url}), halls) as watcher:
        yield watcher
    gc.collect()


def impatient(watcher: Watcher) -> None:
    """Have it bear for a moment only what may be for a while."""
    limits = watcher.limits
    limits.starting_s = limits.recovering_s = limits.ending_s = 0.6
    limits.two_agents_s = limits.free_slot_s = 0.6


@pytest.fixture
def keys(settings: StoreSettings) -> Keys:
    return Keys(settings.redis_prefix)


async def reported(watcher: Watcher, rule: str, subject: str = "") -> None:
    """Wait until this was found, and nothing else."""

    async def is_found() -> bool:
        found = [one for one in watcher.violations if one.rule == rule]
        assert found, watcher.violations
        return any(subject in one.subject for one in found)

    await eventually(is_found, message=f"{rule} is reported")


async def seen(watcher: Watcher, looks: int = 3) -> None:
    """Wait until the watcher has looked so many times more."""
    before = watcher.looks

    async def has_looked() -> bool:
        return watcher.looks >= before + looks

    await eventually(has_looked, message="the watcher looks")


async def staff(store: SessionStore) -> int:
    """Have two workers that LiveKit knows; return how many."""
    for id_ in _WORKERS:
        await store.fleet.register(
            Registration(id=id_, capacity=10, host="here", version="1", livekit_id="AW_1")
        )
        beat = Beat(active=0, idle=1, load=0.0, spawned=1, livekit_id="AW_1")
        await store.fleet.renew(id_, beat)
    return len(_WORKERS)


async def talking(store: SessionStore, *, user: str | None = None) -> SessionId:
    """Have a session with its agent and its user in the room."""
    one = newcomer(user=user)
    await store.admit(one)
    await store.dispatch(one.id)
    await store.claim(one.id, 1, agent(f"AJ_{one.id}"))
    await store.mark_ready(one.id, 1)
    await store.mark_joined(one.id)
    return one.id


async def over(store: SessionStore, id_: SessionId) -> None:
    await store.end(id_, reason="user_left")
    await store.mark_closed(id_)


async def move(redis: Redis, keys: Keys, id_: SessionId, before: State, after: State) -> None:
    """Write another state, past all scripts."""
    await redis.hset(keys.session(id_), "status", after)
    score = await redis.zscore(keys.in_state(before), id_)
    await redis.zrem(keys.in_state(before), id_)
    await redis.zadd(keys.in_state(after), {id_: score or 0})


async def test_a_life_as_it_should_be_is_no_violation(
    watcher: Watcher, store: SessionStore
) -> None:
    """1. Workers come; a session is served, another waits, and is served after it.

    Result: nothing is found, all the time and afterwards.
    """
    await staff(store)
    first = await talking(store)
    second = newcomer()
    await store.admit(second, may_wait=True)
    await seen(watcher)
    await over(store, first)
    await store.dispatch(second.id)
    await store.claim(second.id, 1, agent("AJ_two"))
    await seen(watcher)
    await over(store, second.id)
    await seen(watcher)
    for id_ in _WORKERS:
        await store.fleet.leave(id_)
    await watcher.judge_quiet([first, second.id], [])
    assert watcher.violations == []


async def test_more_sessions_than_slots(
    watcher: Watcher, redis: Redis, settings: StoreSettings
) -> None:
    """1. A server that was told of more slots lets a second session in. Result: I1."""
    generous = SessionStore(redis, settings.model_copy(update={"max_sessions": 2}))
    await talking(generous)
    await generous.admit(newcomer())
    await reported(watcher, "I1", "slots")


async def test_a_session_in_two_states(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. A session that talks is listed as starting, too. Result: I2."""
    id_ = await talking(store)
    await redis.zadd(keys.in_state(State.STARTING), {id_: 1})
    await reported(watcher, "I2", id_)


async def test_a_status_that_goes_backwards(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. A session that talks is starting again. Result: I2, though nobody saw the step."""
    id_ = await talking(store)
    await seen(watcher)
    await move(redis, keys, id_, State.ACTIVE, State.STARTING)
    await reported(watcher, "I2", id_)


async def test_a_step_that_is_not_in_the_table(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. A session notes that it was recovering, and then queued. Result: I2."""
    id_ = await talking(store)
    session = await store.get(id_)
    number = session.revision + 1
    await redis.hset(keys.session(id_), f"e:{number}", f"queued {session.created_at_ms} 1")
    await redis.hset(keys.session(id_), "revision", number)
    await reported(watcher, "I2", id_)


async def test_a_session_that_lives_again(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. A session is over. 2. It is active again. Result: I2."""
    id_ = await talking(store)
    await seen(watcher)
    await over(store, id_)
    await seen(watcher)
    await move(redis, keys, id_, State.ENDED, State.ACTIVE)
    await reported(watcher, "I2", id_)


async def test_an_end_that_changes(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. A session is over. 2. Somebody writes into it. Result: I2, when all is quiet."""
    id_ = await talking(store)
    await seen(watcher)
    await over(store, id_)
    await seen(watcher)
    await redis.hset(keys.session(id_), "epoch", 7)
    await watcher.judge_quiet([], [])
    await reported(watcher, "I2", id_)


async def test_a_slot_of_nobody(watcher: Watcher, redis: Redis, keys: Keys) -> None:
    """1. A slot is held by a session that is not there. Result: I3."""
    nobody = new_session_id()
    await redis.zadd(keys.slots, {nobody: 1e15})
    await redis.expire(keys.slots, 60)
    await reported(watcher, "I3", nobody)


async def test_a_session_without_a_slot(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. The slot of a session that talks is gone. Result: I3."""
    id_ = await talking(store)
    await redis.zrem(keys.slots, id_)
    await reported(watcher, "I3", id_)


@pytest.mark.parametrize("field", ["epoch", "jobId"])
async def test_a_session_that_two_agents_have(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys, field: str
) -> None:
    """1. An agent has a session. 2. Its epoch falls, or another job has it, too. Result: I4."""
    id_ = await talking(store)
    await seen(watcher)
    await redis.hset(keys.session(id_), field, 0 if field == "epoch" else "AJ_other")
    await reported(watcher, "I4", id_)


@asynccontextmanager
async def participant(
    server: LiveKitServer, room: str, kind: api.AccessToken.ParticipantKind
) -> AsyncIterator[None]:
    token = api.AccessToken(server.api_key, server.api_secret).with_kind(kind)
    token = token.with_identity(f"{kind}-{secrets.token_hex(3)}")
    token = token.with_grants(api.VideoGrants(room_join=True, room=room))
    one = rtc.Room()
    await one.connect(server.url, token.to_jwt())
    try:
        yield
    finally:
        await one.disconnect()


async def test_two_agents_in_a_room(
    watcher: Watcher, livekit_server: LiveKitServer, halls: Halls
) -> None:
    """1. A user and an agent are in a room: all is well. 2. A second agent comes. Result: I4."""
    impatient(watcher)
    room = f"crowded-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        for kind in ("standard", "agent"):
            await stack.enter_async_context(participant(livekit_server, room, kind))
        await seen(watcher, 6)
        assert watcher.duplicates == 0
        await stack.enter_async_context(participant(livekit_server, room, "agent"))
        await reported(watcher, "I4", room)
        assert watcher.duplicates == 1
    await halls.close(room)


async def test_a_start_that_takes_too_long(watcher: Watcher, store: SessionStore) -> None:
    """1. Workers are there, and no agent comes. Result: I5."""
    impatient(watcher)
    await staff(store)
    one = newcomer()
    await store.admit(one)
    await reported(watcher, "I5", one.id)


async def test_an_end_that_takes_too_long(watcher: Watcher, store: SessionStore) -> None:
    """1. A session ends, and nobody closes its room. Result: I5."""
    impatient(watcher)
    id_ = await talking(store)
    await store.end(id_)
    await reported(watcher, "I5", id_)


async def test_a_start_without_any_worker_is_not_judged(
    watcher: Watcher, store: SessionStore
) -> None:
    """1. No worker is there, and a session starts. Result: nothing."""
    impatient(watcher)
    await store.admit(newcomer())
    await seen(watcher, 6)
    assert watcher.violations == []


async def test_a_user_who_waits_beside_a_free_slot(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. One talks, another waits. 2. The first is gone, with its slot. Result: I6."""
    impatient(watcher)
    first, second = await talking(store), newcomer()
    await store.admit(second, may_wait=True)
    await seen(watcher)
    assert watcher.violations == []
    await redis.zrem(keys.slots, first)
    await reported(watcher, "I6", second.id)


async def test_a_user_who_is_served_out_of_turn(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. Two wait in line. 2. The second gets a slot. Result: I7."""
    await talking(store)
    waiting = [newcomer(user=None) for _ in range(2)]
    for one in waiting:
        await store.admit(one, may_wait=True)
    await seen(watcher)
    last = waiting[1].id
    await redis.hset(keys.session(last), "admittedAt", await store.now())
    await move(redis, keys, last, State.QUEUED, State.STARTING)
    await reported(watcher, "I7", last)


async def test_a_session_without_an_end(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. One was accepted that nobody knows; one goes on for ever; one fails without a word.

    Result: I8 for each, when all is quiet.
    """
    unknown, endless = new_session_id(), await talking(store)
    await watcher.judge_quiet([unknown, endless], [])
    await reported(watcher, "I8", unknown)
    await reported(watcher, "I8", endless)
    await store.fail(endless, "The agent was lost.")
    await store.mark_closed(endless)
    await redis.hdel(keys.session(endless), "error")
    watcher.violations.clear()
    await watcher.judge_quiet([endless], [])
    await reported(watcher, "I8", endless)


@pytest.mark.parametrize("is_expected", [False, True])
async def test_an_agent_that_is_replaced(
    watcher: Watcher, store: SessionStore, *, is_expected: bool
) -> None:
    """1. An agent that nobody has touched is written off. Result: I9, unless the story did it."""
    id_ = await talking(store)
    await seen(watcher)
    if is_expected:
        watcher.expect_loss(id_)
    await store.lose(id_, "no reason", epoch=1, is_certain=True)
    await seen(watcher)
    assert {one.rule for one in watcher.violations} == (set() if is_expected else {"I9"})


@pytest.mark.parametrize("worker", _WORKERS)
async def test_a_user_who_comes_back_to_another_worker(
    watcher: Watcher, store: SessionStore, worker: WorkerId
) -> None:
    """1. A user had the first worker, which has places. 2. The user comes back.

    Result: I10, if another one has the session.
    """
    async with running_loops(run_every(0.1, "workers", lambda: staff(store))):
        first = await talking(store, user="ada")
        await seen(watcher)
        await over(store, first)
        one = newcomer(user="ada")
        await store.admit(one)
        await store.dispatch(one.id)
        await seen(watcher)
        await store.claim(one.id, 1, agent("AJ_again", worker))
        await seen(watcher)
    expected = set() if worker == _WORKERS[0] else {"I10"}
    assert {one.rule for one in watcher.violations} == expected


async def test_what_is_left_when_all_is_quiet(
    watcher: Watcher, store: SessionStore, halls: Halls, livekit_server: LiveKitServer
) -> None:
    """1. A session goes on, and a room is open. Result: I11 for each."""
    id_, room = await talking(store), f"left-{secrets.token_hex(4)}"
    async with participant(livekit_server, room, "standard"):
        pass
    await watcher.judge_quiet([], [])
    await reported(watcher, "I11", id_)
    await reported(watcher, "I11", room)
    await halls.close(room)


async def test_a_key_that_stays_for_ever(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. The TTL of a session's key is taken away. Result: I11."""
    id_ = await talking(store)
    await redis.persist(keys.session(id_))
    await watcher.judge_quiet([], [])
    await reported(watcher, "I11", keys.session(id_))


async def test_a_counter_that_falls(
    watcher: Watcher, store: SessionStore, redis: Redis, keys: Keys
) -> None:
    """1. Workers have counted. 2. A counter is less than it was. Result: I12."""
    await staff(store)
    await seen(watcher)
    await redis.hset(keys.pool_stats, "total_spawned", 0)
    await reported(watcher, "I12", "total_spawned")


async def test_a_server_that_says_something_else(watcher: Watcher) -> None:
    """1. A token server tells of sessions that are not there. Result: I12."""
    told = dict.fromkeys(("queued", "starting", "ready", "active", "recovering"), 1)
    async with odd_server(says(200, {"sessions": told})) as server:
        await watcher.judge_quiet([], [server.url])
        await reported(watcher, "I12", server.url)


async def test_nothing_is_judged_while_redis_is_away(
    watcher: Watcher, store: SessionStore, proxy: FaultProxy
) -> None:
    """1. A session starts; Redis cannot be reached for longer than that may take. 2. It can.

    Result: the time does not count, and the watcher goes on: it finds what is wrong then.
    """
    await staff(store)
    one = newcomer()
    watcher.limits.starting_s = 2.0
    await store.admit(one)
    await seen(watcher)
    await proxy.switch(Fault.REFUSE)
    await _unlooked(watcher, store=10)
    await proxy.switch(Fault.PASS)
    await seen(watcher)
    assert watcher.violations == []
    await staff(store)
    await reported(watcher, "I5", one.id)


async def test_nothing_is_judged_while_livekit_is_away(
    watcher: Watcher, store: SessionStore, media_proxy: FaultProxy
) -> None:
    """1. LiveKit cannot be reached, and a session starts. Result: nothing, until it can."""
    impatient(watcher)
    await staff(store)
    await media_proxy.switch(Fault.REFUSE)
    await _unlooked(watcher, rooms=1)
    one = newcomer()
    await store.admit(one)
    await seen(watcher, 6)
    assert watcher.violations == []
    await media_proxy.switch(Fault.PASS)
    await staff(store)
    await reported(watcher, "I5", one.id)


async def _unlooked(watcher: Watcher, *, store: int = 0, rooms: int = 0) -> None:
    """Wait until the watcher has looked in vain so many times more."""
    before = dict(watcher.misses)

    async def has_missed() -> bool:
        misses = watcher.misses
        return (
            misses["store"] >= before["store"] + store
            and misses["rooms"] >= before["rooms"] + rooms
        )

    await eventually(has_missed, message="the watcher looks in vain")
