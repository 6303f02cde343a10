"""Reads `REDIS_URL`: which servers, how they are reached, and what is wrong with it.

A URL may hold a password, and one that is malformed may hold it anywhere: no message quotes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.connection import URL_QUERY_ARGUMENT_PARSERS

_FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_TLS = _FILES | {"ssl_cert_reqs", "ssl_check_hostname", "ssl_ciphers"}
_SENTINEL = frozenset({"sentinel_username", "sentinel_password"})
#: What may stand behind the `?`. The answers' form and the retries are ours to choose.
_OPTIONS = _TLS | {
    "client_name",
    "max_connections",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_timeout",
}


class Kind(Enum):
    """What answers at an address."""

    SERVER = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One server."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What `REDIS_URL` says."""

    kind: Kind
    is_encrypted: bool
    nodes: tuple[Node, ...]
    username: str | None
    password: str | None = field(repr=False)
    db: int
    #: The name that Sentinel knows the master by; empty elsewhere.
    service: str
    #: As redis-py takes them.
    options: Mapping[str, Any] = field(repr=False)
    #: What Sentinel itself asks for.
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


class BadAddress(ValueError):
    """Raised for a `REDIS_URL` that cannot be used; the text says why and quotes nothing."""


def parse_address(url: str) -> Address:
    """Read a URL. Raises BadAddress."""
    parts = _split(url)
    kind, is_encrypted = _scheme(parts.scheme)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    service, db = _path(parts.path, kind)
    options = _options(parts.query, kind, is_encrypted)
    known = {name: options.pop(name, None) for name in _SENTINEL}
    return Address(
        kind=kind,
        is_encrypted=is_encrypted,
        nodes=_nodes(hosts, kind),
        username=unquote(username) or None,
        password=unquote(password) or None,
        db=db,
        service=service,
        options=options,
        **known,
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    if parts is None:
        raise BadAddress("this is no URL; are brackets around an IPv6 address missing?")
    if parts.fragment or "#" in url:
        raise BadAddress("it must not hold a '#'; in a password, write %23")
    return parts


def _scheme(scheme: str) -> tuple[Kind, bool]:
    is_encrypted = scheme.startswith("rediss")
    name = scheme.replace("rediss", "redis", 1) if is_encrypted else scheme
    if name not in {kind.value for kind in Kind}:
        raise BadAddress(
            "it must begin with redis://, redis+sentinel:// or redis+cluster://, "
            "or with rediss for TLS"
        )
    return Kind(name), is_encrypted


def _nodes(hosts: str, kind: Kind) -> tuple[Node, ...]:
    default = 26379 if kind is Kind.SENTINEL else 6379
    nodes = tuple(
        _node(text, f"host {place}", default) for place, text in enumerate(hosts.split(","), 1)
    )
    if kind is Kind.SERVER and len(nodes) > 1:
        raise BadAddress("several hosts need redis+sentinel:// or redis+cluster://")
    return nodes


def _node(text: str, name: str, default_port: int) -> Node:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = "?", 0
    if not host:
        raise BadAddress(f"{name} has no name")
    port = default_port if port is None else port
    if port == 0:
        raise BadAddress(
            f"the port of {name} is no number from 1 to 65535; in a password, write '/', '?', '@', "
            "',' and '%' as %2F, %3F, %40, %2C and %25"
        )
    return Node(host=host, port=port)


def _path(path: str, kind: Kind) -> tuple[str, int]:
    """Return the service and the database that a path names."""
    words = [unquote(word) for word in path.strip("/").split("/") if word]
    service = ""
    if kind is Kind.SENTINEL:
        if not words:
            raise BadAddress("the name of the service is missing: redis+sentinel://host/service")
        service = words.pop(0)
    if len(words) > 1 or (words and not words[0].isdecimal()):
        raise BadAddress(
            "the database, the last part of the path, is no number; in a password, write '/' as %2F"
        )
    db = int(words[0]) if words else 0
    if kind is Kind.CLUSTER and db:
        raise BadAddress("a cluster has database 0 only")
    return service, db


def _options(query: str, kind: Kind, is_encrypted: bool) -> dict[str, Any]:
    allowed = _OPTIONS | (_SENTINEL if kind is Kind.SENTINEL else frozenset())
    found: dict[str, Any] = {}
    for place, (name, text) in enumerate(parse_qsl(query, keep_blank_values=True), 1):
        if name not in allowed:
            raise BadAddress(f"option {place} is none of {', '.join(sorted(allowed))}")
        if name in _TLS and not is_encrypted:
            raise BadAddress(f"{name} is for TLS: begin the URL with rediss")
        found[name] = _option(name, text)
    return found


def _option(name: str, text: str) -> object:
    read = URL_QUERY_ARGUMENT_PARSERS.get(name, str)
    try:
        value = read(text)
    except ValueError:
        value = ""
    if value in {"", None}:
        raise BadAddress(f"{name} has a value that it cannot have")
    if name in _FILES and not Path(text).is_file():
        raise BadAddress(f"{name} names no file")
    return value
