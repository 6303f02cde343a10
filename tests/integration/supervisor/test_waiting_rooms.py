"""A user who waits inside a room sees the place in line, and cannot keep it from elsewhere."""

from __future__ import annotations

from rooms.client import Rooms, open_rooms
from rooms.settings import RoomSettings
from sessions.model import Newcomer
from sessions.states import State
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.supervisor import Loop
from supervisor.waiting_rooms import WaitingRooms
from tests.integration.sessions.conftest import agent, pass_time
from tests.integration.supervisor.conftest import MakeStore, Media, line_up, running_loops
from tests.support.wait import eventually

START_MS = 1_000_000
HELD_MS = 20_500


async def test_a_room_tells_the_place_in_line_and_what_comes_of_it(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    store = make_store(now_ms=START_MS)
    holder, first, second = await _wait_in_rooms(store, media, 2)
    waiting_rooms = WaitingRooms(store, rooms)
    assert await waiting_rooms.tell_once() == 2
    assert await waiting_rooms.tell_once() == 0
    assert await media.metadata(first.room) == _queued(1, None)
    assert await media.metadata(second.room) == _queued(2, None)
    for _ in range(HELD_MS // 500):
        await pass_time(store, 500)
        await store.renew(holder.id, 1)
    await store.end(holder.id)
    assert await waiting_rooms.tell_once() == 2
    assert await media.metadata(first.room) == {"status": "starting"}
    assert await media.metadata(second.room) == _queued(1, 21)
    await store.claim(first.id, 1, agent("AJ_two"))
    await store.mark_ready(first.id, 1)
    assert await waiting_rooms.tell_once() == 1
    assert await media.metadata(first.room) == {"status": "active"}
    assert await waiting_rooms.tell_once() == 0
    assert waiting_rooms._followed == {second.id}
    await media.close(second.room)
    await store.mark_closed(second.id)
    assert await waiting_rooms.tell_once() == 0
    assert waiting_rooms._followed == set()


async def test_two_processes_tell_a_room_once(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    holder, first = await _wait_in_rooms(store, media, 1)
    one, other = WaitingRooms(store, rooms), WaitingRooms(store, rooms)
    assert [await one.tell_once(), await other.tell_once()] == [1, 0]
    await store.end(holder.id)
    assert [await other.tell_once(), await one.tell_once()] == [1, 0]
    await store.claim(first.id, 1, agent("AJ_two"))
    await store.mark_ready(first.id, 1)
    assert [await one.tell_once(), await other.tell_once()] == [1, 0]


async def test_a_room_that_was_made_anew_is_told_again(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. LiveKit starts again. 2. The user comes back, into a room that says nothing."""
    _, first = await _wait_in_rooms(store, media, 1)
    waiting_rooms = WaitingRooms(store, rooms)
    await waiting_rooms.tell_once()
    await media.close(first.room)
    await media.make(first.room)
    assert await waiting_rooms.tell_once() == 1
    assert await media.metadata(first.room) == _queued(1, None)


async def test_the_loop_tells_at_once(store: SessionStore, rooms: Rooms, media: Media) -> None:
    """Without being woken it would look once an hour."""
    loop = Loop(
        name="waiting rooms",
        interval_s=3600,
        one_pass=WaitingRooms(store, rooms).tell_once,
        wakes=(State.QUEUED, State.STARTING),
    )
    feed = ChangeFeed(store)
    current, *waiting = await _wait_in_rooms(store, media, 3)
    async with running_loops(feed.run(), loop.run(feed)):
        # The first one may still be found by the look with which the loop begins.
        for one in waiting:
            await store.end(current.id)

            async def is_told(room: str = one.room) -> bool:
                return await media.metadata(room) == {"status": "starting"}

            await eventually(is_told)
            await store.claim(one.id, 1, agent(f"AJ_{one.id}"))
            current = one


async def test_a_process_that_comes_later_goes_on_where_another_stopped(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """1. A room says "queued". 2. Whoever said so dies; its user is admitted, and talks.

    Result: a new process tells the room, once. Users who never waited are told nothing.
    """
    store = make_store(now_ms=START_MS)
    holder, first = await _wait_in_rooms(store, media, 1)
    await media.make(holder.room)
    await store.mark_joined(holder.id)
    await WaitingRooms(store, rooms).tell_once()
    await pass_time(store, 1000)
    await store.end(holder.id)
    await store.claim(first.id, 1, agent("AJ_two"))
    await store.mark_ready(first.id, 1)
    later = WaitingRooms(store, rooms)
    assert await later.tell_once() == 1
    assert await media.metadata(first.room) == {"status": "active"}
    assert await media.metadata(holder.room) is None
    assert await later.tell_once() == 0


async def test_a_place_whose_room_is_gone_is_given_up(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. A user waits in a room, and leaves. 2. LiveKit closes the room; nobody tells us."""
    _, gone, there = await _wait_in_rooms(store, media, 2)
    waiting_rooms = WaitingRooms(store, rooms, patience_s=0)
    await waiting_rooms.tell_once()
    await media.close(gone.room)
    await waiting_rooms.tell_once()
    assert (await store.get(gone.id)).status is State.ENDED
    assert (await store.get(there.id)).status is State.QUEUED
    await waiting_rooms.tell_once()
    assert await media.metadata(there.room) == _queued(1, None)


async def test_a_room_may_be_gone_for_a_moment(
    store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """As when LiveKit starts again, and its users come back."""
    _, away = await _wait_in_rooms(store, media, 1)
    waiting_rooms = WaitingRooms(store, rooms, patience_s=3600)
    await waiting_rooms.tell_once()
    await media.close(away.room)
    assert await waiting_rooms.tell_once() == 0
    assert (await store.get(away.id)).status is State.QUEUED
    await media.make(away.room)
    await waiting_rooms.tell_once()
    assert waiting_rooms._gone_since == {}


async def test_those_who_have_to_ask_are_none_of_its_business(
    make_store: MakeStore, rooms: Rooms, media: Media
) -> None:
    """1. One asks and has no room. 2. One has a room for some reason, and does not ask.

    Result: the first keeps the place, the second loses it.
    """
    store = make_store(now_ms=START_MS)
    holder, asking, silent = await line_up(store, 2)
    await media.make(silent.room)
    waiting_rooms = WaitingRooms(store, rooms, patience_s=0)
    for _ in range(16):
        await pass_time(store, 1000)
        await store.renew(holder.id, 1)
        await store.queue.touch(asking.id)
        await waiting_rooms.tell_once()
        await store.queue.advance()
    assert (await store.get(asking.id)).status is State.QUEUED
    assert (await store.get(silent.id)).status is State.EXPIRED
    assert await media.metadata(silent.room) is None


async def test_while_livekit_is_away_nobody_is_told_and_no_place_is_given_up(
    store: SessionStore, room_settings: RoomSettings, media: Media
) -> None:
    _, waiting = await _wait_in_rooms(store, media, 1)
    settings = room_settings.model_copy(update={"livekit_url": "ws://127.0.0.1:1"})
    async with open_rooms(settings) as nowhere:
        assert await WaitingRooms(store, nowhere, patience_s=0).tell_once() == 0
    assert (await store.get(waiting.id)).status is State.QUEUED


async def _wait_in_rooms(store: SessionStore, media: Media, number: int) -> list[Newcomer]:
    """Let one have the slot, and others wait for it in their rooms."""
    all_of_them = await line_up(store, number)
    for one in all_of_them[1:]:
        await media.make(one.room)
        await store.mark_joined(one.id)
    return all_of_them


def _queued(position: int, eta_s: int | None) -> dict[str, object]:
    return {"status": "queued", "position": position, "etaSeconds": eta_s}
