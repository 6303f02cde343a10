"""The Lua verbs and the table in sessions/states.py say the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sessions.errors import SessionError
from sessions.ids import SessionId
from sessions.states import LIVE, TERMINAL, TRANSITIONS, Actor, State
from sessions.store import SessionStore
from tests.integration.sessions.conftest import agent, newcomer

Step = Callable[[SessionStore, SessionId], Awaitable[object]]

#: How to bring a fresh session into each state.
ROUTES: dict[State, list[Step]] = {
    State.STARTING: [],
    State.READY: [lambda store, id_: store.mark_ready(id_, 1)],
    State.ACTIVE: [
        lambda store, id_: store.mark_ready(id_, 1),
        lambda store, id_: store.mark_joined(id_),
    ],
    State.ENDED: [lambda store, id_: store.end(id_)],
    State.FAILED: [lambda store, id_: store.fail(id_, "why")],
}

#: Every write there is, by who makes it.
WRITES: list[tuple[str, Actor, Step]] = [
    ("ready", Actor.AGENT, lambda store, id_: store.mark_ready(id_, 1)),
    ("renew", Actor.AGENT, lambda store, id_: store.renew(id_, 1)),
    ("claim", Actor.AGENT, lambda store, id_: store.claim(id_, 1, agent())),
    ("joined", Actor.LIVEKIT, lambda store, id_: store.mark_joined(id_)),
    ("joined", Actor.AGENT, lambda store, id_: store.mark_joined(id_, epoch=1)),
    ("end", Actor.AGENT, lambda store, id_: store.end(id_, epoch=1)),
    ("end", Actor.API, lambda store, id_: store.end(id_)),
    ("end", Actor.LIVEKIT, lambda store, id_: store.end(id_)),
    ("fail", Actor.AGENT, lambda store, id_: store.fail(id_, "why", epoch=1)),
    ("fail", Actor.API, lambda store, id_: store.fail(id_, "why")),
]


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize(("name", "actor", "write"), WRITES, ids=lambda value: str(value)[:12])
async def test_every_write_from_every_state_stays_within_the_table(
    store: SessionStore, start: State, name: str, actor: Actor, write: Step
) -> None:
    session_id = await _session_in(store, start)
    try:
        await write(store, session_id)
    except SessionError:
        assert start in TERMINAL, f"{name} was refused in {start}"
    end = (await store.get(session_id)).status
    assert end == start or actor in TRANSITIONS[start].get(end, frozenset())


async def test_every_edge_of_the_table_can_be_taken(
    store: SessionStore, make_store: Callable[..., SessionStore]
) -> None:
    taken: set[tuple[State, State, Actor]] = set()
    for start in State:
        for _, actor, write in WRITES:
            for user_is_there in (False, True):
                session_id = await _session_in(store, start)
                if user_is_there and start is State.STARTING:
                    await store.mark_joined(session_id)
                try:
                    await write(store, session_id)
                except SessionError:
                    continue
                end = (await store.get(session_id)).status
                taken.add((start, end, actor))
        session_id = await _session_in(store, start)
        later = make_store(now_ms=(await store.get(session_id)).created_at_ms + 10**6)
        await later.fail(session_id, "lapsed", only_if_lapsed=True)
        taken.add((start, (await store.get(session_id)).status, Actor.SWEEPER))
    taken = {(start, end, actor) for start, end, actor in taken if start != end}
    table = {
        (start, end, actor)
        for start, edges in TRANSITIONS.items()
        for end, actors in edges.items()
        for actor in actors
    }
    assert taken == table


def test_the_table_covers_every_state() -> None:
    assert set(TRANSITIONS) == set(State) == LIVE | TERMINAL
    assert all(TRANSITIONS[state] == {} for state in TERMINAL)


async def _session_in(store: SessionStore, state: State) -> SessionId:
    session = newcomer()
    await store.admit(session)
    for step in ROUTES[state]:
        await step(store, session.id)
    assert (await store.get(session.id)).status is state
    return session.id
