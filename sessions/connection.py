"""Connections to Redis, with one of two tempers.

The client library's defaults would hang a caller for up to a minute on a Redis that accepts
connections but does not answer (5 s socket timeout, 10 retries), so both tempers are spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    RedisSSLContext,
    SSLConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
)
from redis.backoff import AbstractBackoff, ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessions.address import Address, Kind, Node, parse_address
from sessions.batch import Client
from sessions.settings import StoreSettings

#: Verbs need two, but each read at the same time has one of its own; the library's 100 are soon
#: used up by pages that are followed.
_MAX_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class _Profile:
    """How long a connection waits for an answer, and how often it asks again."""

    timeout_s: float
    retries: int
    backoff: AbstractBackoff

    def retry(self) -> Retry:
        return Retry(
            self.backoff,
            self.retries,
            supported_errors=(RedisConnectionError, RedisTimeoutError),
        )


class Temper(Enum):
    """How long a caller is willing to wait."""

    #: An HTTP request: answer within about a second, if need be with 503.
    HASTY = _Profile(0.5, 1, NoBackoff())
    #: An agent in a call, or a loop: ride out a restart of Redis. The jitter keeps a fleet from
    #: coming back all at once.
    PATIENT = _Profile(2.0, 3, ExponentialWithJitterBackoff(cap=1, base=0.1))


def connect(settings: StoreSettings, temper: Temper) -> Client:
    """Return a client that connects when first used; the caller closes it."""
    address = parse_address(settings.redis_url.get_secret_value())
    if address.kind is Kind.CLUSTER:
        return _cluster(address, temper.value)
    if address.kind is Kind.SENTINEL:
        return _watched(address, temper.value)
    return _server(address, temper.value)


def _server(address: Address, profile: _Profile) -> Redis:
    (node,) = address.nodes
    return _client_of(address, node, {**_options(address, profile), "db": address.db})


def _client_of(address: Address, node: Node, options: Mapping[str, Any]) -> Redis:
    kind = _Encrypted if address.is_encrypted else _Plain
    pool = ConnectionPool(connection_class=kind, host=node.host, port=node.port, **options)
    return Redis.from_pool(pool)


def _cluster(address: Address, profile: _Profile) -> RedisCluster:
    client = RedisCluster(
        startup_nodes=[ClusterNode(node.host, node.port) for node in address.nodes],
        ssl=address.is_encrypted,
        **_options(address, profile),
    )
    client.connection_kwargs["connection_class"] = _Encrypted if address.is_encrypted else _Plain
    return client


class _Plain(Connection):
    """Says that it was closed by the other side as the library expects it: then it is made anew.

    A connection that lay idle in the pool while Redis restarted is written to when it is next used.
    asyncio lets that pass, and the answer is missing; uvloop (0.23) raises RuntimeError at once,
    which would be nobody's outage and a mistake of ours.
    """

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            raise ConnectionResetError("closed by the other side") from error


class _Encrypted(_Plain, SSLConnection):
    """Shares with all others what took long to read: each authority that the system trusts.

    The library reads them for every connection, 40 ms each. A few at once would use up the time
    that a hasty caller has.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(**options)
        self.ssl_context = _shared(self.ssl_context)


class _WatchedPlain(SentinelManagedConnection, _Plain):
    """A connection to a server that sentinels name."""


class _WatchedEncrypted(SentinelManagedConnection, _Encrypted):
    """The same with TLS."""


_CONTEXTS: dict[tuple[object, ...], RedisSSLContext] = {}


def _shared(context: RedisSSLContext) -> RedisSSLContext:
    """Return the first context that was made with the same options."""
    options = [getattr(context, name) for name in context.__slots__ if name != "context"]
    return _CONTEXTS.setdefault(tuple(options), context)


class _WatchedPool(SentinelConnectionPool):
    """Closes the connections to the sentinels with its own."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def _watched(address: Address, profile: _Profile) -> Redis:
    """Return a client of whatever server the sentinels call the master."""
    options = _options(address, profile)
    sentinels = Sentinel([])  # type: ignore[no-untyped-call]
    ours = {
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        # One that does not answer is passed over at once for the next.
        "retry": Retry(NoBackoff(), 0),
    }
    sentinels.sentinels = [_client_of(address, node, {**options, **ours}) for node in address.nodes]
    client: Redis = sentinels.master_for(
        address.service,
        connection_pool_class=_WatchedPool,
        connection_class=_WatchedEncrypted if address.is_encrypted else _WatchedPlain,
        db=address.db,
        **options,
    )
    return client


def _options(address: Address, profile: _Profile) -> dict[str, Any]:
    return {
        "username": address.username,
        "password": address.password,
        "decode_responses": True,
        # A user with few rights may not tell Redis the version of the library.
        "driver_info": None,
        "max_connections": _MAX_CONNECTIONS,
        "socket_timeout": profile.timeout_s,
        "socket_connect_timeout": profile.timeout_s,
        "retry": profile.retry(),
        **address.options,
    }
