"""What the client library raises becomes an exception of ours, without the address of Redis."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessions.errors import (
    AtCapacity,
    RateLimited,
    SessionError,
    StaleEpoch,
    StoreUnavailable,
    WrongSchema,
)
from sessions.scripts import source, translated_errors
from sessions.settings import StoreSettings, Transcripts

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ResponseError("FENCED 3"), StaleEpoch),
        (ResponseError("CAPACITY 50"), AtCapacity),
        (ResponseError("RATE 1500"), RateLimited),
        (ResponseError("SCHEMA 99"), WrongSchema),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), StoreUnavailable),
        (ResponseError("BUSY Redis is busy running a script"), StoreUnavailable),
        (
            ResponseError("Error running script: @user_script:35: @user_script: 35: -READONLY No"),
            StoreUnavailable,
        ),
        (BusyLoadingError("Redis is loading"), StoreUnavailable),
        (OutOfMemoryError("command not allowed"), StoreUnavailable),
        (ReadOnlyError("You can't write"), StoreUnavailable),
        (NoPermissionError("this user has no permissions"), StoreUnavailable),
        (ClusterDownError("CLUSTERDOWN Hash slot not served"), StoreUnavailable),
        (RedisClusterException(f"cannot reach redis://:{SECRET}@host"), StoreUnavailable),
        (RedisConnectionError(f"Error 111 connecting to redis://:{SECRET}@host"), StoreUnavailable),
        (RedisTimeoutError("Timeout reading from socket"), StoreUnavailable),
    ],
    ids=lambda value: str(value)[:24],
)
def test_errors_have_a_meaning(error: Exception, meaning: type[SessionError]) -> None:
    with pytest.raises(meaning) as caught, translated_errors():
        raise error
    assert type(caught.value) is meaning
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ResponseError, match="WRONGTYPE"), translated_errors():
        raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")


def test_limits_are_written_into_the_script_as_lua() -> None:
    text = source(StoreSettings(max_sessions=123, transcripts=Transcripts.LIVE))
    assert "return 123 - redis.call" in text
    assert "if not false then" in text
