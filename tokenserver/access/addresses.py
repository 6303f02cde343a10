"""Where a call comes from, as far as that can be believed."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

#: Longer than a chain of ten proxies writes; beyond that, only the end is looked at.
_MAX_HEADER_CHARS = 1024
#: One customer has all addresses of such a network (RIPE-690, section 4.2).
_IPV6_PREFIX_BITS = 64


def caller_address(scope: Scope, hops: int) -> str:
    """Return the caller's address, behind that many proxies of ours.

    Each proxy adds the address it was called from at the right of `X-Forwarded-For`; what stands
    further left was written by whoever called, and may be anything. A request with fewer entries
    came past the proxies: then it counts where the connection comes from.
    """
    client = scope.get("client")
    peer = str(client[0]) if client else ""
    if hops == 0:
        return peer
    given = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))[-_MAX_HEADER_CHARS:]
    entries = given.split(",")
    if len(entries) < hops:
        return peer
    return _parsed(entries[-hops]) or peer


def limit_key(address: str) -> str:
    """Return what is counted together: an IPv4 address, or a customer's IPv6 network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _IPV6_PREFIX_BITS), strict=False))


def _parsed(entry: str) -> str | None:
    """Read an address, perhaps with a port; IPv6 is then in brackets (RFC 7239, section 6)."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
