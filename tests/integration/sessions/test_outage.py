"""Redis is away: callers learn it soon, and learn no password."""

from __future__ import annotations

import os
import signal

import pytest
from pydantic import SecretStr

from devstack.services.ports import random_ports
from sessions.connection import Temper, connect
from sessions.errors import StoreUnavailable
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.conftest import newcomer
from tests.support.servers import RedisServer


async def test_nobody_listens() -> None:
    url = f"redis://:hunter2hunter2@127.0.0.1:{random_ports().redis}/0"
    settings = StoreSettings(redis_url=SecretStr(url))
    redis = connect(settings, Temper.HASTY)
    with pytest.raises(StoreUnavailable) as caught:
        await SessionStore(redis, settings).admit(newcomer())
    await redis.aclose()
    assert "hunter2" not in str(caught.value) + repr(settings)
    assert caught.value.__cause__ is None


@pytest.mark.timeout(30)
async def test_a_frozen_redis_does_not_freeze_its_callers(redis_server: RedisServer) -> None:
    """1. Redis is stopped in mid-air (SIGSTOP). 2. A hasty caller asks.

    Result: StoreUnavailable, and the same client works again once Redis does. The library's own
    defaults would hold the caller for a minute.
    """
    settings = StoreSettings(redis_url=SecretStr(redis_server.url), redis_prefix="outage")
    redis = connect(settings, Temper.HASTY)
    store = SessionStore(redis, settings)
    await store.ping()
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable):
            await store.admit(newcomer())
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    await store.ping()
    await redis.aclose()
