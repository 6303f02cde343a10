"""The fixtures that other tests stand on."""

from __future__ import annotations

import asyncio

from livekit import api
from redis.asyncio import Redis

from devstack.services.readiness import http_ok
from tests.support.servers import LiveKitServer, RedisServer


async def test_redis_answers(redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        assert await redis.ping()


async def test_livekit_takes_its_keys(livekit_server: LiveKitServer) -> None:
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        room = await livekit.room.create_room(api.CreateRoomRequest(name="devstack-fixture"))
        assert room.max_participants == 2
        assert room.empty_timeout == 60


async def test_livekit_sends_webhooks_where_it_says(livekit_server: LiveKitServer) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readline())
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", livekit_server.webhook_port)
    async with listener:
        async with api.LiveKitAPI(
            livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
        ) as livekit:
            await livekit.room.create_room(api.CreateRoomRequest(name="devstack-webhook"))
            # A room that nobody has joined is not worth a webhook; its end is.
            await livekit.room.delete_room(api.DeleteRoomRequest(room="devstack-webhook"))
        async with asyncio.timeout(20):
            assert await heard.get() == b"POST /livekit/webhook HTTP/1.1\r\n"


async def test_livekit_is_healthy(livekit_server: LiveKitServer) -> None:
    await http_ok(livekit_server.http_url + "/")()
