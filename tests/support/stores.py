"""Fixtures: a session store on whatever Redis the `settings` fixture of a folder names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore


@pytest.fixture
async def redis(settings: StoreSettings) -> AsyncIterator[Client]:
    client = connect(settings, Temper.PATIENT)
    yield client
    await client.aclose()


@pytest.fixture
def store(redis: Client, settings: StoreSettings) -> SessionStore:
    return SessionStore(redis, settings)
