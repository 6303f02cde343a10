"""A session that has a slot gets its agent, whoever freed the slot, and only one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from rooms.client import Rooms, open_rooms
from rooms.errors import LiveKitUnavailable
from rooms.settings import RoomSettings
from sessions.assignment import Assignment
from sessions.connection import Temper, connect
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.dispatches import Dispatcher
from supervisor.endings import RoomCloser
from supervisor.leases import LeaseSweeper
from tests.integration.sessions.conftest import agent, newcomer, pass_time
from tests.integration.supervisor.conftest import (
    MakeStore,
    Media,
    come,
    dispatching,
    line_up,
    running_loops,
)
from tests.support.gate import gate_before
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

START_MS = 1_000_000
SOON_MS = 4_000
CLAIM_MS = 10_000
START_LEASE_MS = 30_000
#: The second agent that is sent in place of a lost one.
BACKOFF_MS = 1_000
SUSPICION_MS = 500


class Flaky(Rooms):
    """LiveKit does what it was asked to; the answer is lost the first few times."""

    lost_answers = 0
    #: A room that is too much for it.
    broken = ""

    async def open(self, room: str, agent_metadata: str) -> None:
        if room == self.broken:
            raise ValueError(room)
        await super().open(room, agent_metadata)
        self.lost_answers -= 1
        if self.lost_answers >= 0:
            raise LiveKitUnavailable("the answer was lost")


@pytest.fixture
async def flaky(rooms: Rooms, room_settings: RoomSettings) -> Flaky:
    return Flaky(rooms._server, room_settings)


@pytest.fixture
async def other_store(settings: StoreSettings) -> AsyncIterator[SessionStore]:
    """The same keys, as another process reaches them."""
    client = connect(settings, Temper.PATIENT)
    yield SessionStore(client, settings)
    await client.aclose()


async def test_who_was_admitted_from_the_line_gets_an_agent_by_itself(
    store: SessionStore, other_store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A session waits. 2. The one ahead ends, in another process: a slot for the first.
    3. Only then does a dispatcher run.

    Result: without it nobody is sent; with it an agent is, under epoch 1.
    """
    holder, waiting = await line_up(store, 1)
    assert (await other_store.end(holder.id)).admitted == (waiting.id,)
    admitted = await store.get(waiting.id)
    assert (admitted.status, admitted.dispatched_at_ms) == (State.STARTING, None)
    assert await media.epochs_sent(waiting.room) == []
    feed = ChangeFeed(store)
    async with running_loops(feed.run(), dispatching(store, rooms, feed)):
        await eventually(lambda: _has_sent(media, waiting, [1]))
    assert (await store.claim(waiting.id, 1, agent("AJ_two"))).changed


async def test_the_feed_wakes_a_dispatcher_that_sleeps(
    store: SessionStore,
    other_store: SessionStore,
    rooms: Rooms,
    media: Media,
) -> None:
    """Without being woken it would look once an hour."""
    current, *waiting = await line_up(store, 3)
    feed = ChangeFeed(store)
    async with running_loops(feed.run(), dispatching(store, rooms, feed, 3600)):
        # The first one may still be found by the look with which the loop begins.
        for one in waiting:
            await other_store.end(current.id)
            await eventually(partial(_has_sent, media, one, [1]))
            await other_store.claim(one.id, 1, agent(f"AJ_{one.id}"))
            current = one


async def test_ten_dispatchers_send_one_agent_to_each(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    store = make_store(max_sessions=5)
    holders = [newcomer(user=None) for _ in range(5)]
    waiting = [newcomer(user=None) for _ in range(5)]
    for one in holders + waiting:
        await store.admit(one, may_wait=True)
    for one in holders:
        await store.end(one.id)
    dispatchers = [Dispatcher(make_store(max_sessions=5), rooms) for _ in range(10)]
    sent = await asyncio.gather(*(one.dispatch_due_once() for one in dispatchers))
    assert sum(sent) == 5
    for one in waiting:
        assert await media.epochs_sent(one.room) == [1]
    assert await dispatchers[0].dispatch_due_once() == 0


async def test_an_agent_that_was_sent_just_now_is_waited_for(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """The token server sends the first agent of a session that got its slot at once."""
    store = make_store(now_ms=START_MS)
    await come(store)
    session = newcomer()
    await store.admit(session)
    await pass_time(store, SOON_MS - 1)
    dispatcher = Dispatcher(store, rooms)
    assert await dispatcher.dispatch_due_once() == 0
    assert not await dispatcher.send(session.id)
    await pass_time(store, 1)
    assert await dispatcher.send(session.id)
    assert await media.epochs_sent(session.room) == [2]


async def test_whoever_is_sent_next_plays_the_same_persona(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    store = make_store(now_ms=START_MS)
    await come(store)
    session = replace(newcomer(), persona="interviewer")
    await store.admit(session)
    await pass_time(store, CLAIM_MS)
    assert await Dispatcher(store, rooms).send(session.id)
    (sent,) = await media.livekit.agent_dispatch.list_dispatch(session.room)
    assignment = Assignment.from_metadata(sent.metadata)
    assert assignment is not None
    assert (assignment.epoch, assignment.persona) == (2, "interviewer")


async def test_after_an_outage_of_redis_nobody_is_written_off_at_once(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """1. An agent was sent. 2. Redis is away for a minute: no claim could come.

    Result: no other is sent until the agent had its time; then one is, under the next epoch.
    """
    store = make_store(now_ms=START_MS)
    await come(store)
    session = newcomer()
    await store.admit(session)
    store.now_ms = START_MS + 60_000
    dispatcher = Dispatcher(store, rooms)
    assert await dispatcher.dispatch_due_once() == 0
    assert await media.epochs_sent(session.room) == []
    await pass_time(store, 8_000)
    assert await dispatcher.dispatch_due_once() == 1
    assert await media.epochs_sent(session.room) == [2]


async def test_while_livekit_is_away_no_try_is_used_up(
    make_store: MakeStore, room_settings: RoomSettings, livekit_server: LiveKitServer, media: Media
) -> None:
    """1. LiveKit goes away. 2. A slot frees; the loop tries again and again, for longer than
    there are tries. 3. LiveKit is back.

    Result: the agent comes, under the first epoch.
    """
    store = make_store(redispatch_limit=0)
    holder, waiting = await line_up(store, 1)
    async with gate_before(livekit_server.port) as gate:
        settings = room_settings.model_copy(
            update={
                "livekit_url": f"ws://127.0.0.1:{gate.port}",
                "livekit_breaker_open_s": 0.1,
            }
        )
        async with open_rooms(settings) as rooms:
            await gate.shut()
            dispatcher, feed = Dispatcher(store, rooms), ChangeFeed(store)
            await store.end(holder.id)
            for _ in range(3):
                assert await dispatcher.dispatch_due_once() == 0
            assert (await store.get(waiting.id)).losses_ms == ()
            async with running_loops(feed.run(), dispatching(store, rooms, feed)):
                await gate.open()
                await eventually(lambda: _has_sent(media, waiting, [1]))


async def test_a_livekit_that_stays_away_fails_the_session_in_the_end(
    make_store: MakeStore, room_settings: RoomSettings, livekit_server: LiveKitServer
) -> None:
    """The lease of its slot lapses; its user reads why, and the slot is free."""
    del livekit_server
    store = make_store(now_ms=START_MS)
    holder, waiting = await line_up(store, 1)
    settings = room_settings.model_copy(update={"livekit_url": "ws://127.0.0.1:1"})
    async with open_rooms(settings) as rooms:
        dispatcher, sweeper = Dispatcher(store, rooms), LeaseSweeper(store)
        await store.end(holder.id)
        await pass_time(store, START_LEASE_MS)
        assert await dispatcher.dispatch_due_once() == 0
        assert await sweeper.sweep_once() == 0
        await pass_time(store, SUSPICION_MS)
        assert await sweeper.sweep_once() == 1
    failed = await store.get(waiting.id)
    assert failed.error == "No agent came in time. Please try again."
    assert (await store.occupancy()).taken == 0


async def test_an_answer_that_was_lost_leads_to_another_agent_under_another_epoch(
    store: SessionStore, flaky: Flaky, media: Media
) -> None:
    """1. LiveKit opens the room and sends for the agent. 2. Nobody hears of it.

    Result: another one is sent into that room; the first may come, and can do nothing.
    """
    holder, waiting = await line_up(store, 1)
    await store.end(holder.id)
    flaky.lost_answers = 1
    feed = ChangeFeed(store)
    async with running_loops(feed.run(), dispatching(store, flaky, feed)):
        await eventually(lambda: _has_sent(media, waiting, [1, 2]))
    assert (await store.get(waiting.id)).epoch == 2


async def test_too_many_lost_answers_fail_the_session(make_store: MakeStore, flaky: Flaky) -> None:
    store = make_store(redispatch_limit=0)
    holder, waiting, next_one = await line_up(store, 2)
    await store.end(holder.id)
    flaky.lost_answers = 1
    assert await Dispatcher(store, flaky).dispatch_due_once() == 0
    failed = await store.get(waiting.id)
    assert failed.error == "The media server did not let an agent in. Please try again."
    assert (await store.get(next_one.id)).status is State.STARTING


async def test_one_session_that_cannot_be_served_holds_up_no_other(
    make_store: MakeStore, flaky: Flaky, media: Media
) -> None:
    store = make_store(max_sessions=3)
    all_of_them = [newcomer(user=None) for _ in range(6)]
    for one in all_of_them:
        await store.admit(one, may_wait=True)
    for one in all_of_them[:3]:
        await store.end(one.id)
    flaky.broken = all_of_them[3].room
    assert await Dispatcher(store, flaky).dispatch_due_once() == 2
    assert await media.epochs_sent(all_of_them[5].room) == [1]


async def test_agents_that_never_come_are_replaced_until_the_session_fails(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """1. An agent is sent, and does not come. 2. Its time is up, and another is sent; and so on.

    Result: as many as the limit says, then it fails with words for its user, and its slot goes to
    the next. The sweep of leases runs all the time, and keeps out of it.
    """
    store = make_store(now_ms=START_MS, redispatch_limit=2, ticket_ttl_s=600)
    await come(store)
    holder, waiting, next_one = await line_up(store, 2)
    await store.end(holder.id)
    dispatcher, sweeper = Dispatcher(store, rooms), LeaseSweeper(store)
    for epochs in ([1], [1, 2], [1, 2, 3]):
        if len(epochs) > 2:
            assert await dispatcher.dispatch_due_once() == 0
            await pass_time(store, BACKOFF_MS)
        assert await dispatcher.dispatch_due_once() == 1
        assert await media.epochs_sent(waiting.room) == epochs
        assert await dispatcher.dispatch_due_once() == 0
        for _ in range(CLAIM_MS // 1000):
            await pass_time(store, 1000)
            assert await sweeper.sweep_once() == 0
    await dispatcher.dispatch_due_once()
    await sweeper.sweep_once()
    await RoomCloser(store, rooms).close_once()
    failed = await store.get(waiting.id)
    assert (failed.status, failed.error) == (
        State.FAILED,
        "No agent came in time. Please try again.",
    )
    assert not await media.has(waiting.room)
    assert await dispatcher.dispatch_due_once() == 1
    assert await media.epochs_sent(next_one.room) == [1]


async def test_an_agent_is_sent_into_a_room_that_its_user_made(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """LiveKit would pass over the agent that is named when such a room is opened again."""
    holder, waiting = await line_up(store, 1)
    await media.make(waiting.room)
    await store.mark_joined(waiting.id)
    await store.end(holder.id)
    assert await Dispatcher(store, rooms).dispatch_due_once() == 1
    assert await media.epochs_sent(waiting.room) == [1]


async def test_a_room_that_is_gone_is_not_made_anew_for_nobody(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A user waits in a room. 2. The room is gone, and nobody knows why. 3. A slot frees.

    Result: no agent is sent into a new room; once the user is back, one is.
    """
    holder, waiting = await line_up(store, 1)
    await store.mark_joined(waiting.id)
    await store.end(holder.id)
    dispatcher = Dispatcher(store, rooms)
    assert await dispatcher.dispatch_due_once() == 0
    assert not await media.has(waiting.room)
    await media.make(waiting.room)
    assert await dispatcher.dispatch_due_once() == 1


async def test_who_polls_and_who_waits_in_a_room_are_one_line(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. Three wait: the second in a room, the others by asking. 2. One call after another ends.

    Result: agents are sent in the order in which they came.
    """
    current, *waiting = await line_up(store, 3)
    await media.make(waiting[1].room)
    await store.mark_joined(waiting[1].id)
    dispatcher = Dispatcher(store, rooms)
    for place, one in enumerate(waiting):
        await store.end(current.id)
        assert await dispatcher.dispatch_due_once() == 1
        sent = [await media.epochs_sent(each.room) for each in waiting]
        assert sent == [[1]] * (place + 1) + [[]] * (len(waiting) - place - 1)
        await store.claim(one.id, 1, agent(f"AJ_{place}"))
        current = one


async def test_a_session_that_ended_meanwhile_gets_nobody(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    holder, waiting = await line_up(store, 1)
    await store.end(holder.id)
    await store.end(waiting.id)
    assert not await Dispatcher(store, rooms).send(waiting.id)
    assert not await media.has(waiting.room)


async def _has_sent(media: Media, session: Newcomer, epochs: list[int]) -> bool:
    return await media.epochs_sent(session.room) == epochs


async def test_another_agent_knows_what_the_first_one_knew(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """The wish to be remembered is told to whoever is sent in place of a lost agent."""
    one = newcomer(is_remembered=True)
    await store.admit(one)
    await store.lose(one.id, "died", epoch=1, is_certain=True)
    assert await Dispatcher(store, rooms).dispatch_due_once() == 1
    (told,) = await media.assignments(one.room)
    assert told is not None
    assert (told.epoch, told.user_id, told.remember) == (2, one.user_id, True)
