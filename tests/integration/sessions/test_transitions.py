"""The Lua verbs and the table in sessions/states.py say the same.

Every write there is, by whoever makes it, is driven in every state on a real Redis. The changes
that the session then remembers of itself are compared with the table, edge by edge.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

import pytest

from sessions.errors import (
    AgentAlreadyThere,
    NotClaimed,
    SessionOver,
    StaleEpoch,
    StillWaiting,
)
from sessions.ids import SessionId
from sessions.states import HOLDING, LIVE, OVER, TERMINAL, TRANSITIONS, WAITING, Actor, State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

Step = Callable[[SessionStore, SessionId], Awaitable[object]]
Edge = tuple[State, State, Actor]
MakeStore = Callable[..., SessionStore]

START_MS = 1_000_000
#: Later than every lease, and than every grace.
LATE_MS = START_MS + 600_000


async def claim(store: SessionStore, id_: SessionId) -> None:
    """Claim under whatever epoch is the session's."""
    await store.claim(id_, (await store.get(id_)).epoch, agent())


async def ready(store: SessionStore, id_: SessionId) -> None:
    await claim(store, id_)
    await store.mark_ready(id_, (await store.get(id_)).epoch)


async def lose(store: SessionStore, id_: SessionId) -> None:
    epoch = (await store.get(id_)).epoch
    await store.lose(id_, "gone", epoch=epoch, is_certain=True)


async def lose_for_good(store: SessionStore, id_: SessionId) -> None:
    for _ in range(store.settings.redispatch_limit + 1):
        await lose(store, id_)


async def lose_a_suspect(store: SessionStore, id_: SessionId) -> None:
    store.now_ms = LATE_MS
    # The first pass after such a gap judges nobody; a lease later it does.
    await store.suspects()
    store.now_ms = LATE_MS + 60_000
    for _ in range(30):
        store.now_ms += 2_000
        if id_ in await store.suspects():
            break
    await store.lose(id_, "silent")


async def free_a_slot(store: SessionStore, id_: SessionId) -> None:
    """End whoever holds a slot; the first in line has it then."""
    for state in HOLDING:
        for other in (await store.views.by_state(state)).sessions:
            if other.id != id_:
                await store.end(other.id)


async def let_ticket_lapse(store: SessionStore, id_: SessionId) -> None:
    del id_
    for _ in range(40):
        store.now_ms = (store.now_ms or 0) + 2_000
        await store.queue.advance()


async def expire_in_room(store: SessionStore, id_: SessionId) -> None:
    """Let the ticket of somebody who waits in the room lapse: it is good for a day."""
    if (await store.get(id_)).status is State.QUEUED:
        await store.mark_joined(id_)
        store.now_ms = START_MS + 25 * 3600 * 1000
        for _ in range(10):
            await store.queue.advance()
            store.now_ms += 2_000


async def lose_all_but_one(store: SessionStore, id_: SessionId) -> None:
    """Lose as many agents as may be, and come back to the same state."""
    session = await store.get(id_)
    if session.holds_slot:
        for _ in range(store.settings.redispatch_limit - len(session.losses_ms)):
            await lose(store, id_)
    if session.status in {State.READY, State.ACTIVE}:
        await ready(store, id_)


REFUSALS = (SessionOver, StillWaiting, NotClaimed, StaleEpoch, AgentAlreadyThere)

#: How to bring a session that holds a slot into each state.
ROUTES: dict[State, list[Step]] = {
    State.STARTING: [],
    State.READY: [ready],
    State.ACTIVE: [ready, lambda store, id_: store.mark_joined(id_)],
    State.RECOVERING: [ready, lose],
    State.ENDING: [lambda store, id_: store.end(id_)],
    State.ENDED: [lambda store, id_: store.end(id_), lambda store, id_: store.mark_closed(id_)],
    State.FAILED: [
        lambda store, id_: store.fail(id_, "why"),
        lambda store, id_: store.mark_closed(id_),
    ],
}

#: Every write there is, by who makes it.
WRITES: list[tuple[str, Actor, Step]] = [
    ("claim", Actor.AGENT, claim),
    ("renew", Actor.AGENT, lambda store, id_: store.renew(id_, 1)),
    ("ready", Actor.AGENT, ready),
    ("joined", Actor.AGENT, lambda store, id_: store.mark_joined(id_, epoch=1)),
    ("joined", Actor.LIVEKIT, lambda store, id_: store.mark_joined(id_)),
    ("end", Actor.AGENT, lambda store, id_: store.end(id_, epoch=1)),
    ("end", Actor.API, lambda store, id_: store.end(id_)),
    ("end", Actor.SUPERVISOR, lambda store, id_: store.end(id_)),
    ("cancel", Actor.API, lambda store, id_: store.queue.cancel(id_)),
    ("fail", Actor.AGENT, lambda store, id_: store.fail(id_, "why", epoch=1)),
    ("fail", Actor.API, lambda store, id_: store.fail(id_, "why")),
    ("fail", Actor.SUPERVISOR, lambda store, id_: store.fail(id_, "why")),
    ("closed", Actor.AGENT, lambda store, id_: store.mark_closed(id_)),
    ("closed", Actor.API, lambda store, id_: store.mark_closed(id_)),
    ("closed", Actor.LIVEKIT, lambda store, id_: store.mark_closed(id_)),
    ("closed", Actor.SUPERVISOR, lambda store, id_: store.mark_closed(id_)),
    ("lose", Actor.AGENT, lose),
    ("lose", Actor.WORKER, lose),
    ("lose", Actor.SUPERVISOR, lose_a_suspect),
    ("lose for good", Actor.AGENT, lose_for_good),
    ("lose for good", Actor.WORKER, lose_for_good),
    ("lose for good", Actor.SUPERVISOR, lose_for_good),
    ("dispatch", Actor.SUPERVISOR, lambda store, id_: store.dispatch(id_)),
    ("touch", Actor.API, lambda store, id_: store.queue.touch(id_)),
    ("slot freed", Actor.QUEUE, free_a_slot),
    ("ticket lapsed", Actor.QUEUE, let_ticket_lapse),
    ("wait in the room lapsed", Actor.QUEUE, expire_in_room),
]

#: What may have happened before: each changes where some write leads to.
PREPARATIONS: dict[str, list[Step]] = {
    "": [],
    "the user is there": [lambda store, id_: store.mark_joined(id_)],
    "it has failed": [lambda store, id_: store.fail(id_, "why")],
    "it has lost agents": [lose_all_but_one],
    "it expired in the room": [expire_in_room],
}


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize(("name", "actor", "write"), WRITES, ids=lambda value: str(value)[:14])
async def test_every_write_from_every_state_stays_within_the_table(
    make_store: MakeStore, start: State, name: str, actor: Actor, write: Step
) -> None:
    for preparation in PREPARATIONS:
        for edge in await _edges(make_store, start, preparation, actor, write):
            origin, end, _ = edge
            assert actor in TRANSITIONS[origin].get(end, frozenset()), (name, preparation, edge)


async def test_every_edge_of_the_table_can_be_taken(make_store: MakeStore) -> None:
    taken: set[Edge] = set()
    for start in State:
        for _, actor, write in WRITES:
            for preparation in PREPARATIONS:
                taken |= await _edges(make_store, start, preparation, actor, write)
    table = {
        (start, end, actor)
        for start, edges in TRANSITIONS.items()
        for end, actors in edges.items()
        for actor in actors
    }
    assert taken - table == set()
    assert table - taken == set()


@pytest.mark.parametrize("start", sorted(TERMINAL))
@pytest.mark.parametrize(("name", "actor", "write"), WRITES, ids=lambda value: str(value)[:14])
async def test_what_is_over_stays_as_it_is(
    make_store: MakeStore, start: State, name: str, actor: Actor, write: Step
) -> None:
    del name, actor
    store = _fresh(make_store)
    session_id = await _session_in(store, start)
    before = await store.get(session_id)
    await _attempt(store, session_id, write)
    assert await store.get(session_id) == before


def test_the_table_covers_every_state() -> None:
    assert set(TRANSITIONS) == set(State) == LIVE | OVER
    assert LIVE == WAITING | HOLDING
    assert LIVE & OVER == WAITING & HOLDING == set()
    assert TERMINAL < OVER
    assert {state for state, edges in TRANSITIONS.items() if not edges} == TERMINAL


async def _edges(
    make_store: MakeStore, start: State, preparation: str, actor: Actor, write: Step
) -> set[Edge]:
    """Return the edges that one write takes from one state, as the session remembers them.

    Tried once in a run: in an empty store, at a given time, it takes the same ones each time.
    """
    tried = (start, preparation, write)
    if tried not in _taken:
        _taken[tried] = await _try(make_store, *tried)
    return {(first, second, actor) for first, second in _taken[tried]}


_taken: dict[tuple[State, str, Step], set[tuple[State, State]]] = {}


async def _try(
    make_store: MakeStore, start: State, preparation: str, write: Step
) -> set[tuple[State, State]]:
    store = _fresh(make_store)
    session_id = await _session_in(store, start)
    if start in LIVE:
        for step in PREPARATIONS[preparation]:
            await step(store, session_id)
    elif preparation:
        return set()
    before = (await store.journal.events(session_id))[-1]
    await _attempt(store, session_id, write)
    events = [before, *await store.journal.events(session_id, after=before.revision)]
    return {(first.status, second.status) for first, second in pairwise(events)}


def _fresh(make_store: MakeStore) -> SessionStore:
    """Return an empty store with one slot."""
    return make_store(now_ms=START_MS, max_sessions=1, redis_prefix=f"test-{secrets.token_hex(8)}")


async def _attempt(store: SessionStore, session_id: SessionId, write: Step) -> None:
    # Refused is fine: the table says what may happen, not what must.
    with suppress(*REFUSALS):
        await write(store, session_id)


async def _session_in(store: SessionStore, state: State) -> SessionId:
    session = newcomer()
    if state in {State.QUEUED, State.EXPIRED}:
        await store.admit(newcomer(user="bob"))
    await store.admit(session, may_wait=True)
    if state is State.EXPIRED:
        await let_ticket_lapse(store, session.id)
    for step in ROUTES.get(state, []):
        await step(store, session.id)
    assert (await store.get(session.id)).status is state
    return session.id
