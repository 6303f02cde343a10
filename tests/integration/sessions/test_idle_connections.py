"""Connections that lay idle while Redis was away: nobody notices that they are dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from pydantic import SecretStr

from sessions.connection import Temper, connect
from sessions.errors import SessionNotFound
from sessions.ids import new_session_id
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.servers import RedisServer

IDLE = 8


@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_connection_that_died_in_the_pool_is_made_anew(
    redis_server: RedisServer, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """1. Eight connections are in the pool. 2. Redis restarts. 3. Calls come one by one.

    Result: each is answered, whichever connection it gets.
    """

    async def live_through() -> None:
        async with fault_proxy(redis_server.port) as proxy:
            settings = StoreSettings(redis_url=SecretStr(f"redis://127.0.0.1:{proxy.port}/0"))
            redis = connect(settings, Temper.HASTY)
            store = SessionStore(redis, settings)
            try:
                await asyncio.gather(*(_ask(store) for _ in range(IDLE)))
                await proxy.switch(Fault.REFUSE)
                await asyncio.sleep(0.2)  # until the resets have arrived
                await proxy.switch(Fault.PASS)
                for _ in range(2 * IDLE):
                    await _ask(store)
            finally:
                await redis.aclose()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(live_through())


async def _ask(store: SessionStore) -> None:
    with pytest.raises(SessionNotFound):
        await store.get(new_session_id())
