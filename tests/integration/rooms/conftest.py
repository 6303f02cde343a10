"""Rooms on a real livekit-server, reached through a proxy that can fail."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

import pytest

from rooms.settings import RoomSettings
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.servers import LiveKitServer

#: Fast for the tests; an answer takes a few milliseconds, on a busy machine a few hundred.
TIMEOUT_S = 1.0

Settle = Callable[..., RoomSettings]


@pytest.fixture
def settle(livekit_server: LiveKitServer) -> Settle:
    """Return settings for the server, with some changed."""

    def settle(**changed: object) -> RoomSettings:
        values: dict[str, object] = {
            "livekit_url": livekit_server.url,
            "livekit_api_key": livekit_server.api_key,
            "livekit_api_secret": livekit_server.api_secret,
        }
        return RoomSettings.model_validate(values | changed)

    return settle


@pytest.fixture
async def proxy(livekit_server: LiveKitServer) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(livekit_server.port) as proxy:
        yield proxy


def new_room() -> str:
    return f"test-{secrets.token_hex(8)}"
