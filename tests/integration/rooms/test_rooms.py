"""Rooms on a real server: agents sent for, metadata seen, agents told from users."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit import api, rtc

from rooms.client import Rooms, open_rooms
from rooms.errors import KeyRefused
from rooms.server_api import ServerApi
from tests.integration.rooms.conftest import Settle, new_room
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually


@pytest.fixture
async def rooms(settle: Settle) -> AsyncIterator[Rooms]:
    async with open_rooms(settle(livekit_timeout_s=20)) as rooms:
        yield rooms


@pytest.fixture
async def room(rooms: Rooms) -> AsyncIterator[str]:
    """A room that is there, without an agent on its way."""
    name = new_room()
    await rooms.open(name, '{"n": 1}')
    yield name
    await rooms.close(name)


@asynccontextmanager
async def participant(
    server: LiveKitServer,
    room: str,
    identity: str,
    kind: api.AccessToken.ParticipantKind = "standard",
) -> AsyncIterator[rtc.Room]:
    token = (
        api.AccessToken(server.api_key, server.api_secret)
        .with_identity(identity)
        .with_kind(kind)
        .with_grants(api.VideoGrants(room_join=True, room=room, agent=kind == "agent"))
    )
    joined = rtc.Room()
    await joined.connect(server.url, token.to_jwt())
    try:
        yield joined
    finally:
        await joined.disconnect()


async def test_an_agent_is_sent_into_a_room_that_is_there(
    rooms: Rooms, room: str, livekit_server: LiveKitServer
) -> None:
    await rooms.send_agent(room, '{"n": 2}')
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        sent = await livekit.agent_dispatch.list_dispatch(room)
    assert sorted(dispatch.metadata for dispatch in sent) == ['{"n": 1}', '{"n": 2}']
    assert {dispatch.agent_name for dispatch in sent} == {"voicefleet"}


async def test_everybody_in_the_room_sees_its_metadata(
    rooms: Rooms, room: str, livekit_server: LiveKitServer
) -> None:
    async with participant(livekit_server, room, "user-1") as joined:
        for metadata in ('{"queue": 3}', '{"queue": 2}', ""):
            assert await rooms.set_metadata(room, metadata) is True

            async def is_seen(expected: str = metadata) -> bool:
                return joined.metadata == expected

            await eventually(is_seen)


async def test_agents_are_told_from_users(
    rooms: Rooms, room: str, livekit_server: LiveKitServer
) -> None:
    assert await rooms.agents(room) == []
    async with participant(livekit_server, room, "agent-by-name-only"):

        async def only_the_user_is_there() -> bool:
            return await participants(livekit_server, room) == 1

        await eventually(only_the_user_is_there)
        assert await rooms.agents(room) == []
        async with participant(livekit_server, room, "AJ-1", "agent"):

            async def the_agent_is_there() -> bool:
                return await rooms.agents(room) == ["AJ-1"]

            await eventually(the_agent_is_there)

        async def the_agent_is_gone() -> bool:
            return await rooms.agents(room) == []

        await eventually(the_agent_is_gone)


async def test_a_closed_room_is_not_there(rooms: Rooms, room: str) -> None:
    assert await rooms.close(room) is True
    assert await rooms.close(room) is False
    assert await rooms.set_metadata(room, "{}") is False
    assert await rooms.agents(room) == []


async def participants(server: LiveKitServer, room: str) -> int:
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit:
        answer = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
    return len(answer.participants)


async def test_opening_and_closing_share_a_token_until_it_is_old(
    settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By time that goes by as by the clock: neither was set. LiveKit takes a fresh one, too."""
    async with aiohttp.ClientSession() as http:
        server = ServerApi(settle(), http)
        first = server.all_rooms
        assert server.all_rooms is first
        with monkeypatch.context() as later:
            later.setattr(time, "monotonic", lambda: time.monotonic_ns() / 1e9 + 299)
            later.setattr(time, "time", lambda: time.time_ns() / 1e9 + 299)
            assert server.all_rooms is first
            later.setattr(time, "monotonic", lambda: time.monotonic_ns() / 1e9 + 301)
            later.setattr(time, "time", lambda: time.time_ns() / 1e9 + 301)
            assert server.all_rooms is not first
        server.forget_token()
        for service in (first, server.all_rooms):
            await service.list_rooms(api.ListRoomsRequest(names=["no-such-room"]))


@pytest.mark.parametrize("set_by_s", [3600, -3600], ids=["ahead", "behind"])
async def test_with_a_wrong_clock_nothing_is_asked_with_a_right_one_it_is_at_once(
    settle: Settle, monkeypatch: pytest.MonkeyPatch, set_by_s: int
) -> None:
    """1. The clock of this machine is set, and LiveKit's is not. 2. It is set right.

    Result: no token from before vouches for it, as users' tokens would be refused; and none from
    meanwhile is used afterwards.
    """
    async with open_rooms(settle()) as rooms:
        await rooms.ping()
        with monkeypatch.context() as clock:
            clock.setattr(time, "time", lambda: time.time_ns() / 1e9 + set_by_s)
            with pytest.raises(KeyRefused, match="the clock of this machine"):
                await rooms.ping()
            assert not rooms.can_be_asked
        await rooms.ping()
        assert rooms.can_be_asked
