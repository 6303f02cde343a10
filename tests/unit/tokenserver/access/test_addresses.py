"""Nobody chooses the address that limits count by."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from starlette.requests import Request

from tokenserver.access.addresses import UNKNOWN, caller_address, limit_key

PEER = "192.0.2.7"


def scope(*forwarded: str, peer: str | None = PEER) -> dict[str, Any]:
    """Return a request's scope with one header line for each text."""
    lines = [(b"x-forwarded-for", text.encode("latin-1")) for text in forwarded]
    return {
        "type": "http",
        "client": None if peer is None else (peer, 50_000),
        "headers": [(b"host", b"example.com"), *lines, (b"accept", b"*/*")],
    }


def test_a_header_sent_directly_says_nothing() -> None:
    """Attack 24: a caller without a proxy in between names an address of its choice."""
    assert caller_address(scope("1.2.3.4"), 0) == PEER
    assert caller_address(scope("1.2.3.4", "5.6.7.8, 9.9.9.9"), 0) == PEER


def test_a_header_sent_through_one_proxy_says_nothing_either() -> None:
    """Attack 24: the caller sends an entry, and our proxy adds the true one on its right."""
    assert caller_address(scope("1.2.3.4, 198.51.100.9"), 1) == "198.51.100.9"
    assert caller_address(scope("1.2.3.4", "198.51.100.9"), 1) == "198.51.100.9"


@pytest.mark.parametrize(
    ("hops", "address"),
    [(1, "5.5.5.5"), (2, "4.4.4.4"), (3, "3.3.3.3"), (4, "2.2.2.2"), (5, "1.1.1.1"), (6, PEER)],
)
def test_entries_are_counted_from_the_right_over_all_lines(hops: int, address: str) -> None:
    lines = ("1.1.1.1, 2.2.2.2", "3.3.3.3", " 4.4.4.4 ,5.5.5.5")
    assert caller_address(scope(*lines), hops) == address


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("198.51.100.9", "198.51.100.9"),
        (" \t198.51.100.9 ", "198.51.100.9"),
        ("198.51.100.9:5678", "198.51.100.9"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("[::ffff:198.51.100.9]:443", "198.51.100.9"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_may_be_written_in_many_ways(entry: str, address: str) -> None:
    assert caller_address(scope(entry), 1) == address
    assert caller_address(scope(peer=entry), 0) == address


@pytest.mark.parametrize(
    "entry",
    [
        *("", " ", "unknown", "_hidden", "example.com", "1.2.3", "1.2.3.4.5", "256.1.1.1"),
        *("1.2.3.4:port", "1.2.3.4:", "1.2.3.4:123456", "[1.2.3.4", "[]:80", "[::1]443", "::1]"),
        *("for=1.2.3.4", '"1.2.3.4"', "1.2.3.4 5.6.7.8", "1.2.3.4\x00", "\xb9.2.3.4", "1" * 9000),
    ],
)
def test_what_is_no_address_counts_as_if_the_header_were_not_there(entry: str) -> None:
    assert caller_address(scope(entry), 1) == PEER
    assert caller_address(scope(f"5.6.7.8, {entry}"), 1) == PEER


def test_a_request_that_came_past_the_proxies_is_its_peers() -> None:
    assert caller_address(scope(), 1) == PEER
    assert caller_address(scope("1.2.3.4"), 2) == PEER
    assert caller_address(scope("1.2.3.4", "5.6.7.8"), 3) == PEER


def test_a_caller_without_an_address_is_unknown() -> None:
    assert caller_address(scope(peer=None), 0) == UNKNOWN
    assert caller_address(scope(peer=""), 0) == UNKNOWN
    assert caller_address(scope(peer=None), 1) == UNKNOWN
    assert caller_address(scope("1.2.3.4", peer=None), 1) == "1.2.3.4"
    assert limit_key(UNKNOWN) == UNKNOWN


def test_a_request_will_do_as_well() -> None:
    assert caller_address(Request(scope("1.2.3.4, 5.6.7.8")), 1) == "5.6.7.8"


@pytest.mark.parametrize("hops", [1, 2, 10])
@pytest.mark.parametrize(
    "forged",
    ["x" * 2_000_000, "," * 2_000_000, "1.2.3.4," * 250_000, " " * 2_000_000, "1.2.3.4 " * 250_000],
    ids=["no-comma", "commas", "addresses", "blanks", "blanks-between"],
)
def test_a_huge_header_is_not_read_to_its_beginning(forged: str, hops: int) -> None:
    """Our proxies' entries are found behind whatever a caller sent, and that is not copied."""
    ours = ", ".join(f"10.0.0.{place}" for place in range(hops))
    huge, alone = scope(f"{forged},{ours}"), scope(forged)
    tracemalloc.start()
    try:
        assert caller_address(huge, hops) == "10.0.0.0"
        caller_address(alone, hops)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 100_000


def test_the_end_of_an_entry_is_not_taken_for_an_entry() -> None:
    assert caller_address(scope("x" + " " * 1000 + "1.2.3.4"), 1) == PEER
    assert caller_address(scope("x" * 1000), 1) == PEER


def test_ipv6_is_counted_by_the_network_of_a_customer() -> None:
    assert limit_key("2001:db8:1:2::1") == limit_key("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert limit_key("2001:db8:1:2::1") != limit_key("2001:db8:1:3::1")
    assert limit_key("2001:db8:1:2::1") == "2001:db8:1:2::/64"


def test_ipv4_is_counted_by_the_address() -> None:
    assert limit_key("1.2.3.4") == "1.2.3.4"
    assert limit_key("::ffff:1.2.3.4") == "1.2.3.4"
    assert limit_key("1.2.3.4") != limit_key("1.2.3.5")
