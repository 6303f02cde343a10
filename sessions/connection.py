"""Connections to Redis, with one of two tempers.

The client library's defaults would hang a caller for up to a minute on a Redis that accepts
connections but does not answer (5 s socket timeout, 10 retries), so both tempers are spelled out.
"""

from __future__ import annotations

from enum import Enum

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessions.settings import StoreSettings


class Temper(Enum):
    """How long a caller is willing to wait: seconds a try, tries after the first."""

    #: An HTTP request: answer within about a second, if need be with 503.
    HASTY = (0.5, 1)
    #: An agent in a call: ride out a restart of Redis.
    PATIENT = (2.0, 3)


def connect(settings: StoreSettings, temper: Temper) -> Redis:
    """Return a client that connects when first used; the caller closes it."""
    timeout_s, retries = temper.value
    backoff = (
        NoBackoff() if temper is Temper.HASTY else ExponentialWithJitterBackoff(cap=1, base=0.1)
    )
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(backoff, retries, supported_errors=(RedisConnectionError, RedisTimeoutError)),
        health_check_interval=15,
    )
