"""In a room there is one agent, and it is the one that has the session."""

from __future__ import annotations

import pytest

from rooms.client import Rooms
from sessions.model import Newcomer
from sessions.store import SessionStore
from supervisor.ghosts import Ghosts
from tests.integration.rooms.test_rooms import participant
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.integration.supervisor.conftest import MakeStore, Media
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

START_MS = 1_000_000
CALM_MS = 10_000


@pytest.fixture
def store(make_store: MakeStore) -> SessionStore:
    return make_store(now_ms=START_MS, max_sessions=10)


@pytest.fixture
async def session(store: SessionStore, media: Media) -> Newcomer:
    """A session whose agent AJ_old is in the room, and was written off; the next is on its way."""
    session = newcomer(user=None)
    await store.admit(session)
    await store.claim(session.id, 1, agent("AJ_old"))
    await media.make(session.room)
    await store.lose(session.id, "it hangs", epoch=1, is_certain=True)
    return session


async def _are(rooms: Rooms, room: str, *identities: str) -> bool:
    return sorted(await rooms.agents(room)) == sorted(identities)


async def test_who_was_replaced_is_put_out(
    store: SessionStore,
    rooms: Rooms,
    session: Newcomer,
    livekit_server: LiveKitServer,
) -> None:
    """1. An agent was lost and hangs in the room, where another one had been sent before and never
    claimed. 2. The next one claims the session. 3. A late one joins.

    Result: as long as nobody has the session, the next agent may be any but the one that was lost.
    Then whoever else is there is put out, until there was nobody for a while.
    """
    ghosts, room = Ghosts(store, rooms), session.room
    async with (
        participant(livekit_server, room, "agent-AJ_old", "agent"),
        participant(livekit_server, room, "agent-AJ_other", "agent"),
        participant(livekit_server, room, "agent-AJ_new", "agent"),
        participant(livekit_server, room, session.identity),
    ):
        assert await ghosts.lay_once() == 1
        await eventually(lambda: _are(rooms, room, "agent-AJ_new", "agent-AJ_other"))
        await store.claim(session.id, 2, agent("AJ_new"))
        assert await ghosts.lay_once() == 1
        await eventually(lambda: _are(rooms, room, "agent-AJ_new"))
        async with participant(livekit_server, room, "agent-AJ_late", "agent"):
            assert await ghosts.lay_once() == 1
        assert await ghosts.lay_once() == 0
        assert [one.session_id for one in await store.ghosts.haunts()] == [session.id]
        await pass_time(store, CALM_MS + 1)
        await store.renew(session.id, 2)
        assert await ghosts.lay_once() == 0
        assert await store.ghosts.haunts() == []
        assert await _are(rooms, room, "agent-AJ_new")


async def test_a_room_is_watched_on_when_another_agent_is_lost(
    store: SessionStore, session: Newcomer
) -> None:
    """1. A look finds the room in order. 2. Before it can say so, the next agent is lost, too."""
    (haunt,) = await store.ghosts.haunts()
    await store.claim(session.id, 2, agent("AJ_new"))
    await pass_time(store, 1_000)
    await store.lose(session.id, "it hangs", epoch=2, is_certain=True)
    assert not await store.ghosts.forget(haunt)
    (again,) = await store.ghosts.haunts()
    assert again.since_ms > haunt.since_ms


async def test_in_a_room_of_somebody_elses_their_agents_stay(
    store: SessionStore, rooms: Rooms, media: Media, livekit_server: LiveKitServer
) -> None:
    theirs = f"theirs-{newcomer().id}"
    session = Newcomer(
        id=newcomer().id, user_id=None, identity="", secret_hash="", foreign_room=theirs
    )
    await media.make(theirs)
    await store.admit(session)
    await store.claim(session.id, 1, agent("AJ_old"))
    await store.lose(session.id, "it hangs", epoch=1, is_certain=True)
    await store.claim(session.id, 2, agent("AJ_new"))
    async with (
        participant(livekit_server, theirs, "agent-AJ_old", "agent"),
        participant(livekit_server, theirs, "agent-of-theirs", "agent"),
    ):
        assert await Ghosts(store, rooms).lay_once() == 1
        await eventually(lambda: _are(rooms, theirs, "agent-of-theirs"))


async def test_a_session_that_is_over_is_watched_no_more(
    store: SessionStore, rooms: Rooms, session: Newcomer
) -> None:
    await store.end(session.id)
    assert await store.ghosts.haunts() == []
    assert await Ghosts(store, rooms).lay_once() == 0
