"""Which addresses we connect to: none of our own machines and networks, unless they are named.

A URL that an operator sets may name anything: a neighbour without a password, the metadata of a
cloud. So may whoever has a say in its DNS. What is looked at is the very address that a socket is
made for: a name that is asked twice and answers differently gains nothing.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: Family, kind, protocol, name, and what `connect` is given.
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

#: IPv6 networks that have nothing but an IPv4 internet behind them.
_NAT64 = IPv6Network("64:ff9b::/96")
#: All that is given out of IPv6 so far.
_UNICAST = IPv6Network("2000::/3")
#: Assigned for purposes of protocols; one cloud has its metadata there.
_PROTOCOLS = IPv4Network("192.0.0.0/24")


class ForbiddenAddress(OSError):
    """Raised instead of a connection to an address that is not for us to reach."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "this address may not be reached")


class Guard:
    """Lets through public addresses, and those of some networks besides."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def may_reach(self, text: str) -> bool:
        """Say whether we may connect to an address. Raises ValueError for what is none."""
        address = _behind(ip_address(text))
        return _is_public(address) or any(address in network for network in self._networks)

    def make_socket(self, info: AddressInfo) -> socket.socket:
        """Make the socket for an address. Raises ForbiddenAddress."""
        family, kind, protocol, _, target = info
        if not self.may_reach(str(target[0])):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)


def _behind(address: Address) -> Address:
    """Return the IPv4 address that one of IPv6 stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    """Say whether an address is one of the public Internet.

    `is_global` knows what is loopback, private, link-local, shared by a provider, or for examples.
    """
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    is_special = address.is_multicast or address.is_reserved or address in _PROTOCOLS
    return address.is_global and not is_special
