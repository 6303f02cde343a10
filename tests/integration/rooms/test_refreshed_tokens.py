"""How long LiveKit's own tokens live: the records of sessions have to outlast them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import jwt
from livekit.protocol import rtc

from rooms.tokens import Participant, mint_token
from tests.integration.rooms.conftest import Settle, new_room
from tests.support.servers import LiveKitServer
from tokenserver.settings import REFRESHED_TOKEN_S

DEADLINE_S = 20.0


async def test_a_token_that_livekit_hands_out_lives_as_long_as_we_think(
    settle: Settle, livekit_server: LiveKitServer
) -> None:
    """Somebody joins. With the answer comes another token, for the same room, that lives longer."""
    room = new_room()
    token = mint_token(settle(), Participant(room=room, identity="ada"), ttl_s=30)
    refreshed = await _refreshed(livekit_server.url, token)
    claims: dict[str, Any] = jwt.decode(refreshed, livekit_server.api_secret, algorithms=["HS256"])
    assert claims["video"]["room"] == room
    assert 30 < claims["exp"] - claims["nbf"] <= REFRESHED_TOKEN_S


async def _refreshed(url: str, token: str) -> str:
    """Join as the SDKs do, and wait for the other token."""
    query = {"access_token": token, "protocol": "15", "sdk": "js"}
    async with (
        asyncio.timeout(DEADLINE_S),
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/rtc", params=query) as socket,
    ):
        async for message in socket:
            answer = rtc.SignalResponse.FromString(message.data)
            if answer.WhichOneof("message") == "refresh_token":
                return str(answer.refresh_token)
    raise AssertionError("no other token came")
