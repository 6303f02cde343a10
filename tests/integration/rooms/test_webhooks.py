"""A webhook as a real server sends it counts as long as its key is one of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from rooms.client import open_rooms
from rooms.errors import BadWebhook
from rooms.webhooks import read_webhook
from tests.integration.rooms.conftest import Settle, new_room
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

NEW_KEY = {"livekit_api_key": "key-now", "livekit_api_secret": "n" * 32}


@pytest.fixture
async def deliveries(livekit_server: LiveKitServer) -> AsyncIterator[list[tuple[bytes, str]]]:
    """Bodies and Authorization headers of what the server sends, as they come."""
    received: list[tuple[bytes, str]] = []

    async def receive(request: web.Request) -> web.Response:
        received.append((await request.read(), request.headers["Authorization"]))
        return web.Response()

    app = web.Application()
    app.router.add_post("/livekit/webhook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", livekit_server.webhook_port).start()
    yield received
    await runner.cleanup()


async def test_a_delivery_of_the_present_or_the_previous_key(
    settle: Settle, deliveries: list[tuple[bytes, str]], livekit_server: LiveKitServer
) -> None:
    room = new_room()
    async with open_rooms(settle(livekit_timeout_s=20)) as rooms:
        await rooms.open(room, "{}")
        await rooms.close(room)

    async def finished() -> tuple[bytes, str]:
        ours = [item for item in deliveries if room.encode() in item[0]]
        ended = [item for item in ours if b"room_finished" in item[0]]
        assert ended
        return ended[0]

    body, token = await eventually(finished)
    previous = {
        "livekit_previous_api_key": livekit_server.api_key,
        "livekit_previous_api_secret": livekit_server.api_secret,
    }
    for settings in (settle(), settle(**NEW_KEY, **previous)):
        event = read_webhook(settings, body, token)
        assert (event.event, event.room.name) == ("room_finished", room)
        assert event.id
        with pytest.raises(BadWebhook):
            read_webhook(settings, body + b" ", token)
    with pytest.raises(BadWebhook, match=r"no key of ours.*InvalidSignature"):
        read_webhook(settle(**NEW_KEY), body, token)
