"""The circuit of Redis: what counts as a failure, and that it is tried out whatever happens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from rooms.breaker import BreakerState
from rooms.errors import LiveKitRefused, LiveKitUnavailable
from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.store import SessionStore
from tests.support.servers import RedisServer
from tests.support.wait import eventually
from tokenserver.access.keys import KeysUnavailable
from tokenserver.access.user_tokens import InvalidUserToken
from tokenserver.circuit import RedisCircuit
from tokenserver.errors import ApiError
from tokenserver.settings import TokenserverSettings

FAILURES = 3
#: Raised on the way to the store, or beside it.
UNASKED = [
    ApiError(HTTPStatus.UNAUTHORIZED, "unauthorized", "No."),
    InvalidUserToken("expired"),
    KeysUnavailable(1),
    LiveKitUnavailable("away"),
    LiveKitRefused("no"),
]


class Odd(SessionStore):
    """A store whose first pings go wrong in a way that nobody has planned for."""

    odd_pings = 2

    async def ping(self) -> None:
        if self.odd_pings:
            self.odd_pings -= 1
            raise ValueError("odd")
        await super().ping()


@pytest.fixture
def settings(redis_server: RedisServer) -> TokenserverSettings:
    return TokenserverSettings.model_validate(
        {
            "redis_url": redis_server.url,
            "redis_prefix": f"test-{secrets.token_hex(6)}",
            "livekit_api_key": "key",
            "livekit_api_secret": "s" * 32,
            "redis_breaker_failures": FAILURES,
            "redis_breaker_open_s": 0.1,
        }
    )


@pytest.fixture
async def redis(settings: TokenserverSettings) -> AsyncIterator[Client]:
    client = connect(settings, Temper.HASTY)
    yield client
    await client.aclose()


def call(circuit: RedisCircuit, error: Exception) -> None:
    """Make one call that ends like this."""
    with suppress(type(error)), circuit.guard():
        raise error


def fail(circuit: RedisCircuit, times: int = FAILURES) -> None:
    for _ in range(times):
        call(circuit, StoreUnavailable("away"))


def is_open(circuit: RedisCircuit) -> bool:
    return circuit.state is BreakerState.OPEN


@pytest.mark.parametrize("error", UNASKED, ids=lambda error: type(error).__name__)
async def test_what_never_asked_the_store_does_not_count(
    redis: Client, settings: TokenserverSettings, error: Exception
) -> None:
    """Else a few callers with bad tokens would keep the circuit closed while Redis hangs."""
    circuit = RedisCircuit(SessionStore(redis, settings), settings)
    for _ in range(FAILURES):
        call(circuit, error)
    assert not is_open(circuit)
    fail(circuit, FAILURES - 1)
    call(circuit, error)
    fail(circuit, 1)
    assert is_open(circuit)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SessionNotFound("x"), BreakerState.CLOSED),
        (RedisConnectionError("reset"), BreakerState.OPEN),
    ],
    ids=repr,
)
async def test_what_the_store_said_counts(
    redis: Client, settings: TokenserverSettings, error: Exception, state: BreakerState
) -> None:
    circuit = RedisCircuit(SessionStore(redis, settings), settings)
    fail(circuit, FAILURES - 1)
    call(circuit, error)
    assert circuit.state is state


async def test_the_loop_outlives_what_nobody_has_planned_for(
    redis: Client, settings: TokenserverSettings
) -> None:
    """1. Redis fails, and the circuit opens. 2. The try ends in an odd error. 3. The same again.

    Result: each time it is tried out, and closes once Redis answers.
    """
    store = Odd(redis, settings)
    circuit = RedisCircuit(store, settings)

    async def is_closed() -> bool:
        return circuit.state is BreakerState.CLOSED

    loop = asyncio.create_task(circuit.run())
    try:
        for left in (1, 0, 0):
            fail(circuit)
            assert is_open(circuit)
            await eventually(is_closed)
            assert store.odd_pings == left
        assert not loop.done()
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
