"""Many at once: exactly as many get in as there are slots, and exactly one agent gets a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sessions.connection import Temper, connect
from sessions.errors import AgentAlreadyThere, AtCapacity, SessionOver
from sessions.ids import SessionId
from sessions.model import IdempotencyKey, Newcomer, Outcome, UserPolicy
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

#: Calls of one store travel together; races need several, as of several servers.
SERVERS = 5

Servers = Callable[..., list[SessionStore]]


@pytest.fixture
async def servers(settings: StoreSettings) -> AsyncIterator[Servers]:
    """Builds stores with connections of their own, as so many servers have them."""
    clients = [connect(settings, Temper.PATIENT) for _ in range(SERVERS)]

    def make(**changes: object) -> list[SessionStore]:
        return [SessionStore(client, settings.model_copy(update=changes)) for client in clients]

    yield make
    for client in clients:
        await client.aclose()


async def test_of_200_at_capacity_50_exactly_50_are_admitted_and_the_rest_wait_in_order(
    servers: Servers,
) -> None:
    stores = servers(max_sessions=50, queue_limit=200)
    answers = await asyncio.gather(
        *(
            stores[number % SERVERS].admit(newcomer(user=None), may_wait=True)
            for number in range(200)
        )
    )
    assert sum(answer.status is State.STARTING for answer in answers) == 50
    waiting = [answer for answer in answers if answer.status is State.QUEUED]
    assert sorted(answer.position or 0 for answer in waiting) == list(range(1, 151))
    places = await asyncio.gather(*(stores[0].queue.touch(answer.session_id) for answer in waiting))
    assert [place.position for place in places] == [answer.position for answer in waiting]
    page = await stores[0].views.by_state(State.QUEUED, limit=200)
    in_line = sorted(waiting, key=lambda answer: answer.position or 0)
    assert [one.id for one in page.sessions] == [answer.session_id for answer in in_line]


async def test_of_200_who_would_not_wait_exactly_50_are_admitted(servers: Servers) -> None:
    stores = servers(max_sessions=50)
    outcomes = await asyncio.gather(
        *(stores[number % SERVERS].admit(newcomer()) for number in range(200)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, AtCapacity) for outcome in outcomes) == 150
    assert (await stores[0].occupancy()).starting == 50


async def test_of_100_agents_exactly_one_claims_the_session(servers: Servers) -> None:
    stores, session = servers(), newcomer()
    await stores[0].admit(session)
    outcomes = await asyncio.gather(
        *(
            stores[number % SERVERS].claim(session.id, 1, agent(f"AJ_{number}"))
            for number in range(100)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, AgentAlreadyThere) for outcome in outcomes) == 99
    winner = next(
        number for number, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)
    )
    assert (await stores[0].get(session.id)).job_id == f"AJ_{winner}"


async def test_the_same_idempotency_key_20_times_is_one_session(servers: Servers) -> None:
    stores = servers()
    key = IdempotencyKey(key="click-1", scope="ada", fingerprint="{}")
    answers = await asyncio.gather(
        *(
            stores[number % SERVERS].admit(newcomer(), idempotency=key, may_wait=True)
            for number in range(20)
        )
    )
    assert len({answer.session_id for answer in answers}) == 1
    assert sum(answer.outcome is Outcome.NEW for answer in answers) == 1
    assert (await stores[0].occupancy()).taken == 1


async def test_two_tabs_of_one_user_have_one_session(servers: Servers) -> None:
    stores = servers()
    for policy in (UserPolicy.RESUME, UserPolicy.REPLACE):
        await asyncio.gather(
            *(
                stores[number % SERVERS].admit(newcomer(), policy=policy, may_wait=True)
                for number in range(20)
            )
        )
        assert (await stores[0].occupancy()).taken == 1


async def test_a_storm_of_ends_and_starts_neither_oversells_nor_strands_anybody(
    servers: Servers,
) -> None:
    """1. Users come faster than slots free. 2. Everybody who has a slot gives it back at once.

    Result: never more sessions than slots, everybody had a turn, in the order they came.
    """
    stores = servers(max_sessions=8, queue_limit=1_000)
    over = asyncio.Event()
    watching = asyncio.create_task(_watch_occupancy(stores[-1], over, capacity=8))
    arrivals = await asyncio.gather(
        *(
            stores[number % SERVERS].admit(newcomer(user=None), may_wait=True)
            for number in range(200)
        )
    )
    waiting = sorted(
        (one for one in arrivals if one.status is State.QUEUED), key=lambda one: one.position or 0
    )
    served = [one.session_id for one in arrivals if one.status is State.STARTING]
    turns: list[SessionId] = []
    while served:
        answers = await asyncio.gather(
            *(stores[number % SERVERS].end(session_id) for number, session_id in enumerate(served))
        )
        served = [session_id for answer in answers for session_id in answer.admitted]
        turns += served
    assert set(turns) == {one.session_id for one in waiting}
    order = {one.session_id: place for place, one in enumerate(waiting)}
    # Several servers' answers come back in any order; those of one round are at most 8 apart.
    assert all(abs(order[session_id] - turn) < 8 for turn, session_id in enumerate(turns))
    # Not cancelled, which the library may swallow (see supervisor/loop.py).
    over.set()
    await watching
    occupancy = await stores[0].occupancy()
    assert (occupancy.taken, occupancy.queued) == (0, 0)


async def test_a_session_that_is_claimed_and_ended_at_once_has_one_end(servers: Servers) -> None:
    stores = servers()
    for _ in range(20):
        session: Newcomer = newcomer()
        await stores[0].admit(session)
        claim, end = await asyncio.gather(
            stores[1].claim(session.id, 1, agent()),
            stores[2].end(session.id),
            return_exceptions=True,
        )
        assert not isinstance(end, BaseException)
        assert not isinstance(claim, Exception) or isinstance(claim, SessionOver)
        assert (await stores[0].get(session.id)).status is State.ENDING
    assert (await stores[0].occupancy()).taken == 0


async def _watch_occupancy(store: SessionStore, over: asyncio.Event, *, capacity: int) -> None:
    while not over.is_set():
        occupancy = await store.occupancy()
        assert occupancy.taken <= capacity
