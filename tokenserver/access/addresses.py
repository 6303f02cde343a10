"""Whose request it is: the address of the caller, which nobody may choose for themselves.

`X-Forwarded-For` is a list to which each proxy adds, on the right, the address that it was called
from. What stands left of our own proxies' entries was sent by the caller and may be anything. So
with n proxies of ours in front, the n-th entry from the right is the caller; without any, the
header says nothing.

This counts entries and cannot know who wrote them: whoever reaches the token server past the
proxies can make up as many. With `TRUSTED_PROXY_HOPS` set, let nobody but the proxies reach it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

_HEADER = b"x-forwarded-for"
#: A caller without an address: over a Unix socket there is none.
UNKNOWN = "unknown"
#: Longer than any address with brackets, zone, port and blanks around it.
_MOST_ENTRY_BYTES = 128
#: What one customer of a provider is given at least; within it, addresses cost nothing.
_CUSTOMER_BITS = 64
#: `1.2.3.4:5678`, `[::1]:443`, `[::1]`.
_WITH_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


def caller_address(scope: Mapping[str, Any], hops: int) -> str:
    """Return the address of the caller behind `hops` proxies of ours.

    `scope` is an ASGI scope or a Starlette request. It is the peer's address with no hops, and
    whenever the header cannot be what our proxies would have sent: fewer entries than hops, or one
    that is no address. IPv6 that stands for IPv4 (`::ffff:1.2.3.4`) is given as IPv4.
    """
    peer = _peer(scope)
    if hops == 0:
        return peer
    entry = _entry_from_right(scope, hops)
    address = None if entry is None else _parse(entry.decode("latin-1"))
    return peer if address is None else str(address)


def limit_key(address: str) -> str:
    """Return what a limit counts by: an IPv4 address, or the /64 around an IPv6 one.

    Whoever has one IPv6 address has 2^64 of them.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _CUSTOMER_BITS), strict=False))
    return address if parsed is None else str(parsed)


def _peer(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    host = str(client[0]) if client else ""
    parsed = _parse(host)
    return (host or UNKNOWN) if parsed is None else str(parsed)


def _entry_from_right(scope: Mapping[str, Any], place: int) -> bytes | None:
    """Return the entry at that place over all lines of the header, or None if there are fewer.

    However long the lines are, only as much of their ends is looked at as the entries may take.
    """
    for name, value in reversed(scope["headers"]):
        if name.lower() != _HEADER:
            continue
        end = value[-place * _MOST_ENTRY_BYTES :]
        entries = end.rsplit(b",", place)
        if len(entries) > place:
            return bytes(entries[1])
        if len(end) < len(value):
            return None  # our proxies write no such thing
        if len(entries) == place:
            return bytes(entries[0])
        place -= len(entries)
    return None


@lru_cache(maxsize=4096)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address without port, brackets and zone, or None when it is none."""
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # The zone is the name of a network card, on whatever machine.
    return address.ipv4_mapped or IPv6Address(int(address))
