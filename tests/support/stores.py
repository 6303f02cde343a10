"""Fixtures: a session store on whatever Redis the `settings` fixture of a folder names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore


@pytest.fixture
async def redis(settings: StoreSettings) -> AsyncIterator[Redis]:
    client = connect(settings, Temper.PATIENT)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Redis, settings: StoreSettings) -> SessionStore:
    return SessionStore(redis, settings)
