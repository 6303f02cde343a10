"""REDIS_URL: what it may be, and what is said of one that cannot be used."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr, ValidationError

from sessions.address import Kind, Node, parse_address
from sessions.settings import StoreSettings, explain


@pytest.mark.parametrize(
    ("url", "kind", "nodes", "service", "db"),
    [
        ("redis://one", Kind.SERVER, [("one", 6379)], "", 0),
        ("redis://one:1/3", Kind.SERVER, [("one", 1)], "", 3),
        ("rediss://[::1]:1", Kind.SERVER, [("::1", 1)], "", 0),
        ("redis+sentinel://one,two:2/main", Kind.SENTINEL, [("one", 26379), ("two", 2)], "main", 0),
        ("rediss+sentinel://one/main/4", Kind.SENTINEL, [("one", 26379)], "main", 4),
        ("redis+cluster://one:1,two", Kind.CLUSTER, [("one", 1), ("two", 6379)], "", 0),
    ],
)
def test_every_kind_of_url(
    url: str, kind: Kind, nodes: list[tuple[str, int]], service: str, db: int
) -> None:
    address = parse_address(url)
    assert address.kind is kind
    assert address.is_encrypted is url.startswith("rediss")
    assert address.nodes == tuple(Node(host=host, port=port) for host, port in nodes)
    assert (address.service, address.db) == (service, db)


def test_users_and_passwords() -> None:
    address = parse_address(
        "redis+sentinel://ada:p%40ss%2Fword@one/main?sentinel_username=eve&sentinel_password=p%26q"
    )
    assert (address.username, address.password) == ("ada", "p@ss/word")
    assert (address.sentinel_username, address.sentinel_password) == ("eve", "p&q")
    assert dict(address.options) == {}
    assert "p@ss" not in repr(address)
    assert "p&q" not in repr(address)


def test_options_have_types() -> None:
    address = parse_address("rediss://one?socket_timeout=1.5&max_connections=7&ssl_cert_reqs=none")
    assert dict(address.options) == {
        "socket_timeout": 1.5,
        "max_connections": 7,
        "ssl_cert_reqs": "none",
    }


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://:hunter2@one", "must begin with redis://"),
        ("hunter2", "must begin with redis://"),
        ("redis://:hunter2@", "host 1 has no name"),
        ("redis://:hunter2@one,two", "several hosts need redis+sentinel://"),
        ("redis://:hunter2@one:0", "the port of host 1"),
        ("redis+cluster://:hunter2@one,two:99999", "the port of host 2"),
        ("redis://user:12?hunter2@one:1", "option 1 is none of"),
        ("redis://user:12?hunter2=@one:1", "option 1 is none of"),
        ("redis://:hunter2#more@one:1", "%23"),
        ("redis://:hunter2@[::1", "this is no URL"),
        ("redis://:hunter2\u2100@one", "this is no URL"),
        ("redis://user:hunter2/more@one:1", "is no number"),
        ("redis://one/hunter2", "is no number"),
        ("redis+sentinel://:hunter2@one", "the name of the service is missing"),
        ("redis+cluster://:hunter2@one/1", "database 0 only"),
        ("redis://one?socket_timeout=hunter2", "socket_timeout has a value"),
        ("redis://one?sentinel_password=hunter2", "option 1 is none of"),
        ("redis://one?ssl_ca_certs=/hunter2", "begin the URL with rediss"),
        ("rediss://one?ssl_ca_certs=/hunter2", "ssl_ca_certs names no file"),
    ],
)
def test_a_service_with_a_bad_url_does_not_start_and_says_why(url: str, complaint: str) -> None:
    """Wherever the password of a malformed URL ends up, it is not shown."""
    with pytest.raises(ValidationError) as caught:
        StoreSettings(redis_url=SecretStr(url))
    said = explain("The service", caught.value)
    assert "REDIS_URL: " in said
    assert complaint in said
    shown = said + "".join(traceback.format_exception_only(caught.value))
    assert "hunter2" not in shown
