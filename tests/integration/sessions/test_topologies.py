"""The whole life of a session on every kind of Redis that docs/redis.md names."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import pytest
from pydantic import SecretStr

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.errors import QueueFull, StoreUnavailable
from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, UserId, WorkerId
from sessions.journal import LogLine
from sessions.model import IdempotencyKey, Newcomer, Outcome
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer
from tests.support.redis_topologies import (
    QUOTED_PASSWORD,
    Farm,
    Watched,
    cluster,
    command,
    encrypted,
    encrypted_cluster,
    encrypted_sentinel,
    farm,
    restricted,
    watched,
)
from tests.support.wait import eventually

_KINDS: Mapping[str, Callable[[Farm], str]] = MappingProxyType(
    {
        "plain": lambda servers: servers.server().url,
        "tls": encrypted,
        "acl": restricted,
        "sentinel": lambda servers: watched(servers).url,
        "tls-sentinel": encrypted_sentinel,
        "cluster": cluster,
        "tls-cluster": encrypted_cluster,
    }
)
ADA = UserId("ada")

# On a busy machine a TLS handshake takes longer than a hasty client waits. asyncio leaves the
# transport of an attempt that was given up to the garbage collector (seen with CPython 3.11), which
# closes it, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def connections_given_up() -> Iterator[None]:
    """Let the garbage collector find them here, not in whichever test comes next."""
    yield
    gc.collect()


@pytest.fixture(scope="module", params=_KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with farm(tmp_path_factory.mktemp(request.param)) as servers:
        yield _KINDS[request.param](servers)


@pytest.fixture(params=Temper, ids=lambda temper: temper.name.lower())
async def client(url: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    redis = connect(StoreSettings(redis_url=SecretStr(url)), request.param)
    yield redis
    await redis.aclose()


@pytest.fixture
def store(client: Client) -> SessionStore:
    settings = StoreSettings(
        redis_prefix=f"vf-{secrets.token_hex(6)}",
        max_sessions=1,
        queue_limit=1,
        user_starts_per_minute=0,
    )
    return SessionStore(client, settings)


@pytest.fixture
def watched_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with farm(tmp_path_factory.mktemp("failover")) as servers:
        yield watched(servers)


async def test_the_whole_life_of_a_session(store: SessionStore) -> None:
    """1. One has the slot, one waits. 2. The first is served, loses its agent, gets another, and
    ends. 3. The second gets the slot. 4. Its user is forgotten.

    Result: every verb and every view does the same on every kind of Redis.
    """
    cursor = await store.journal.cursor()
    first, second = newcomer(is_remembered=True), newcomer()
    await _come(store, first, second)
    await _talk(store, first.id)
    await _lose_agent(store, first.id)
    await _look(store, first.id, second.id)
    assert (await store.end(first.id)).admitted == (second.id,)
    assert (await store.mark_closed(first.id)).status is State.ENDED
    assert [turn.text for turn in await store.conversations.memory(ADA)] == ["Hello!"]
    changes = await store.journal.follow(cursor)
    assert {change.session_id for change in changes} == {first.id, second.id}
    await _forget(store, first.id, second.id)


async def _come(store: SessionStore, first: Newcomer, second: Newcomer) -> None:
    known = IdempotencyKey(key=secrets.token_hex(8), scope="a client", fingerprint="one")
    assert (await store.admit(first, may_wait=True, idempotency=known)).status is State.STARTING
    again = await store.admit(newcomer(), idempotency=known)
    assert (again.outcome, again.session_id) == (Outcome.KNOWN, first.id)
    assert (await store.admit(second, may_wait=True)).position == 1
    with pytest.raises(QueueFull):
        await store.admit(newcomer(), may_wait=True)
    assert (await store.queue.touch(second.id)).position == 1
    assert (await store.queue.advance()).admitted == ()


async def _talk(store: SessionStore, session: SessionId) -> None:
    await store.claim(session, 1, agent())
    await store.mark_ready(session, 1)
    assert (await store.mark_joined(session)).status is State.ACTIVE
    await store.renew(session, 1)
    await store.journal.log(session, [LogLine(level="INFO", text="it works")], epoch=1)
    await store.conversations.append(session, 1, turn_id="1", role="user", text="Hello!")
    await store.journal.publish(session, "speaking", epoch=1)
    assert [line.text for line in await store.journal.logs(session)] == ["it works"]
    assert [turn.text for turn in await store.conversations.of(session)] == ["Hello!"]
    assert [event.detail for event in await store.journal.events(session)][-1] == "speaking"


async def _lose_agent(store: SessionStore, session: SessionId) -> None:
    assert await store.suspects() == []
    assert (await store.lose(session, "it crashed", epoch=1, is_certain=True)).epoch == 2
    assert await store.queue.due() == [session]
    assert (await store.dispatch(session)).changed
    await store.claim(session, 2, agent("AJ_two", prewarmed=False))
    assert (await store.mark_ready(session, 2)).status is State.ACTIVE


async def _look(store: SessionStore, active: SessionId, waiting: SessionId) -> None:
    worker = WorkerId("worker-1")
    await store.fleet.register(Registration(id=worker, capacity=4, host="here", version="1"))
    await store.fleet.set_pool_target(3)
    orders = await store.fleet.renew(worker, Beat(active=1, idle=2, load=0.5, spawned=3))
    assert (orders.pool_size, orders.is_draining) == (3, False)
    assert [found.idle for found in await store.fleet.workers()] == [2]
    pool = await store.fleet.pool()
    assert pool.target == 3
    assert pool.total_assigned >= 1
    preferred = await store.fleet.preferred_worker(ADA)
    assert preferred is not None
    assert (preferred.id, preferred.listed) == (worker, (await store.fleet.workers())[0])
    assert [found.id for found in (await store.views.by_state(State.ACTIVE)).sessions] == [active]
    assert [found.id for found in await store.views.by_user(ADA)] == [waiting, active]
    occupancy = await store.occupancy()
    assert (occupancy.active, occupancy.queued, occupancy.capacity) == (1, 1, 1)
    assert occupancy.startup_p50_ms is not None
    assert await store.fleet.drain(worker)
    await store.fleet.leave(worker)
    event = secrets.token_hex(8)
    await store.journal.mark_event_applied(event)
    assert await store.journal.is_event_applied(event)
    await store.ping()


async def _forget(store: SessionStore, over: SessionId, live: SessionId) -> None:
    assert await store.conversations.forget(ADA) == [live]
    assert await store.views.by_user(ADA) == []
    assert await store.conversations.memory(ADA) == []
    await store.mark_closed(live)
    assert (await store.occupancy()).taken == 0
    assert over not in await store.views.sessions([over, live])


async def test_many_at_once(store: SessionStore) -> None:
    """Views and verbs run at the same time, on a client that has never connected before."""
    answers = await asyncio.gather(
        *(store.views.counts() for _ in range(10)),
        *(store.fleet.leave(WorkerId("nobody")) for _ in range(100)),
        *(store.ping() for _ in range(10)),
    )
    assert len(answers) == 120


async def test_a_script_that_redis_does_not_know_is_brought(client: Client) -> None:
    """Other limits make another script, which Redis has never seen; many ask for it at once."""
    settings = StoreSettings(
        redis_prefix=f"vf-{secrets.token_hex(6)}",
        history_ttl_s=1 + secrets.randbelow(1_000_000),
        user_starts_per_minute=0,
    )
    store = SessionStore(client, settings)
    await asyncio.gather(*(store.admit(newcomer()) for _ in range(40)))
    assert (await store.occupancy()).starting == 40


async def test_neither_a_client_nor_an_error_shows_a_password(url: str, client: Client) -> None:
    scheme, _, rest = url.partition("://")
    settings = StoreSettings(
        redis_url=SecretStr(f"{scheme}://somebody:{QUOTED_PASSWORD}@{rest.rpartition('@')[2]}")
    )
    stranger = connect(settings, Temper.HASTY)
    with pytest.raises(StoreUnavailable) as caught:
        await SessionStore(stranger, settings).ping()
    await stranger.aclose()
    told = f"{caught.value!r} {settings!r} {stranger!r} {client!r}"
    assert "hunter2" not in told


@pytest.mark.timeout(120)
async def test_the_store_follows_a_failover(watched_redis: Watched) -> None:
    """1. A session is admitted, and the replica has it. 2. The master is killed. 3. The sentinel
    promotes the replica.

    Result: the same clients, hasty and patient, go on with the session on the new master, to which
    they bring their script.
    """
    settings = StoreSettings(redis_url=SecretStr(watched_redis.url))
    clients = [connect(settings, temper) for temper in Temper]
    stores = [SessionStore(redis, settings) for redis in clients]
    session = newcomer()
    await stores[0].admit(session)
    await stores[1].claim(session.id, 1, agent())
    with watched_redis.master.admin() as admin:
        assert command(admin, "WAIT", 1, 10_000) == 1
    with watched_redis.replica.admin() as admin:
        command(admin, "SCRIPT FLUSH")
    await asyncio.to_thread(watched_redis.master.kill)
    for store in stores:
        await eventually(partial(_is_renewed, store, session.id), deadline_s=60)
    assert (await stores[0].get(session.id)).status is State.STARTING
    await stores[1].end(session.id)
    for redis in clients:
        await redis.aclose()


async def _is_renewed(store: SessionStore, session: SessionId) -> bool:
    try:
        return (await store.renew(session, 1)).changed
    except StoreUnavailable:
        return False
