"""What these tests have in common: an identity provider, a clock, limits on a real Redis."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from sessions.connection import Temper, connect
from tests.support.identity_provider import IdentityProvider, running_provider
from tests.support.servers import RedisServer
from tokenserver.access.limits import RateLimits
from tokenserver.settings import TokenserverSettings

MakeLimits = Callable[..., RateLimits]
MakeSettings = Callable[..., TokenserverSettings]

#: The limit of starts in these tests.
TEN = 10


@pytest.fixture
def make_settings() -> MakeSettings:
    """Makes settings of one prefix; replicas have the same secret."""
    same = {
        "redis_prefix": f"vf-{secrets.token_hex(6)}",
        "livekit_api_key": "key",
        "livekit_api_secret": secrets.token_hex(16),
        "start_limit_per_minute": TEN,
    }

    def make(url: str, **changes: object) -> TokenserverSettings:
        return TokenserverSettings.model_validate({**same, "redis_url": url, **changes})

    return make


@pytest.fixture
def settings(redis_server: RedisServer, make_settings: MakeSettings) -> TokenserverSettings:
    return make_settings(redis_server.url)


@pytest.fixture
async def make_limits() -> AsyncIterator[MakeLimits]:
    """Makes the limits of one more replica: with a client of its own."""
    clients = []

    def make(settings: TokenserverSettings, **changes: float) -> RateLimits:
        clients.append(connect(settings, Temper.HASTY))
        return RateLimits(clients[-1], settings, **changes)  # type: ignore[arg-type]

    yield make
    for client in clients:
        await client.aclose()


@dataclass
class Clock:
    """Says what it is told, in seconds."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running_provider() as provider:
        yield provider
