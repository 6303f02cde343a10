"""Redis is killed under load, again and again: what it acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.errors import NotAdmitted, SessionNotFound, StoreUnavailable
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import Reply
from sessions.settings import StoreSettings
from sessions.states import HOLDING, State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer
from tests.support.redis_topologies import Server, farm
from tests.support.wait import eventually

CRASHES = 3
CAPACITY = 30
#: So many acknowledged writes, at least, before each crash.
WRITES = 400
CLIENTS = 3
LOOPS = 8
#: So many sessions live on through all crashes.
KEPT = 16
#: A session that nobody loses only moves on, in this order.
PATH = (State.STARTING, State.READY, State.ACTIVE, State.ENDING, State.ENDED)


@dataclass
class Ledger:
    """What Redis has acknowledged: for each session the last status that was answered."""

    known: dict[SessionId, State] = field(default_factory=dict)
    #: Sessions that were asked for, and have not been brought to their end.
    in_hand: set[SessionId] = field(default_factory=set)
    kept: set[SessionId] = field(default_factory=set)
    writes: int = 0
    outages: int = 0
    is_closing: bool = False

    def note(self, session_id: SessionId, status: State) -> None:
        self.known[session_id] = status
        self.writes += 1

    def is_kept(self, session_id: SessionId) -> bool:
        """Say whether this one is to live on: some are, while there are too few."""
        if self.writes % 10 == 0 and len(self.kept) < KEPT:
            self.kept.add(session_id)
        return session_id in self.kept


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A Redis as `make run` starts it: its data goes to the disk every second."""
    with farm(tmp_path) as servers:
        yield servers.server(is_durable=True)


@pytest.mark.timeout(200)
async def test_nothing_acknowledged_is_lost_when_redis_is_killed(server: Server) -> None:
    """1. Clients start, serve and end sessions. 2. Redis is killed (SIGKILL) in the midst of it and
    started again on its data. 3. The same twice more, with the clients going on.

    Result: every session that was admitted is there, at least as far as was acknowledged; what had
    ended stays so; slots and indexes are those of the sessions' own records.
    """
    settings = StoreSettings(
        redis_url=SecretStr(server.url), max_sessions=CAPACITY, user_starts_per_minute=0
    )
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        clients = [connect(settings, temper) for temper in (*Temper, Temper.PATIENT)]
        for redis in clients:
            await stack.enter_async_context(aclosing(redis))
        stores = [SessionStore(redis, settings) for redis in clients]
        for _ in range(CRASHES):
            await _crash_under_load(server, stores, ledger)
            await eventually(lambda: _answers(stores[0]))
            await _compare(clients[1], settings, ledger)
            await _end_what_was_cut_off(stores[1], ledger)
    assert ledger.outages >= CRASHES
    assert State.ENDED in ledger.known.values()


async def _crash_under_load(server: Server, stores: list[SessionStore], ledger: Ledger) -> None:
    enough = ledger.writes + WRITES

    async def is_enough() -> bool:
        return ledger.writes >= enough

    ledger.is_closing = False
    async with asyncio.TaskGroup() as loops:
        for store in stores * LOOPS:
            loops.create_task(_work(store, ledger))
        await eventually(is_enough, interval_s=0.001)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await eventually(lambda: _answers(stores[0]))
        ledger.is_closing = True


async def _answers(store: SessionStore) -> bool:
    try:
        await store.ping()
    except StoreUnavailable:
        return False
    return True


async def _work(store: SessionStore, ledger: Ledger) -> None:
    """Serve one session after the other. Without an answer nothing is known of a write: go on."""
    while not ledger.is_closing:
        try:
            await _serve(store, ledger)
        except NotAdmitted:
            await asyncio.sleep(0.01)
        except StoreUnavailable:
            ledger.outages += 1
            await asyncio.sleep(0.01)


async def _serve(store: SessionStore, ledger: Ledger) -> None:
    """Take a session through its life, or leave it somewhere."""
    session = newcomer(user=None)
    ledger.in_hand.add(session.id)
    for verb in (
        partial(store.admit, session),
        partial(_take, store, session.id),
        partial(store.mark_joined, session.id),
        partial(store.end, session.id),
        partial(store.mark_closed, session.id),
    ):
        reply = await verb()
        ledger.note(session.id, reply.status)
        if ledger.is_kept(session.id) or ledger.is_closing:
            return
    ledger.in_hand.remove(session.id)


async def _take(store: SessionStore, session_id: SessionId) -> Reply:
    await store.claim(session_id, 1, agent(session_id))
    return await store.mark_ready(session_id, 1)


async def _end_what_was_cut_off(store: SessionStore, ledger: Ledger) -> None:
    """Free the slots of those whose callers were gone when the answer came."""
    for session_id in ledger.in_hand - ledger.kept:
        try:
            ledger.note(session_id, (await store.end(session_id)).status)
        except SessionNotFound:
            assert session_id not in ledger.known
    ledger.in_hand.clear()


async def _compare(redis: Client, settings: StoreSettings, ledger: Ledger) -> None:
    """Hold what Redis has against what it acknowledged, and its indexes against its records."""
    keys, records = Keys(settings.redis_prefix), await _records(redis, settings)
    missing = [session_id for session_id in ledger.known if session_id not in records]
    assert missing == []
    behind = {
        session_id: (told, records[session_id]["status"])
        for session_id, told in ledger.known.items()
        if PATH.index(State(records[session_id]["status"])) < PATH.index(told)
    }
    assert behind == {}
    holding = {one for one, record in records.items() if record["status"] in HOLDING}
    assert set(await redis.zrange(keys.slots, 0, -1)) == holding
    assert len(holding) <= CAPACITY
    for state in State:
        listed = set(await redis.zrange(keys.in_state(state), 0, -1))
        assert listed == {one for one, record in records.items() if record["status"] == state}


async def _records(redis: Client, settings: StoreSettings) -> dict[SessionId, dict[str, str]]:
    keys, prefix = Keys(settings.redis_prefix), f"{{{settings.redis_prefix}}}:session:"
    names = [str(name) async for name in redis.scan_iter(f"{prefix}*", count=1000, _type="hash")]
    found = {SessionId(name.removeprefix(prefix)) for name in names}
    rows = {one: await redis.hgetall(keys.session(one)) for one in found}
    return {
        one: {str(name): str(value) for name, value in row.items()} for one, row in rows.items()
    }
