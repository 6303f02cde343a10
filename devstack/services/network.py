"""Network interfaces: WebRTC clients need one beside loopback, even to talk to this machine."""

from __future__ import annotations

import fcntl
import socket
import struct
from contextlib import suppress
from pathlib import Path

SIOCGIFFLAGS = 0x8913
SIOCGIFADDR = 0x8915
IFF_UP = 0x1
IFF_LOOPBACK = 0x8

NO_INTERFACE = (
    "only loopback is up. The agent's WebRTC library finds no network and gives up joining rooms. "
    "As root, give it an address that leads nowhere:\n"
    "    ip link add vf0 type veth peer name vf1 && ip addr add 192.0.2.1/24 dev vf0 && "
    "ip link set vf0 up && ip link set vf1 up && ip route add default via 192.0.2.2"
)


def has_usable_interface() -> bool:
    """Say whether an interface other than loopback is up and has an address.

    True on systems where this cannot be found out: a wrong warning is worse than none.
    """
    if not Path("/proc/net").exists():
        return True
    with suppress(OSError):
        return any(_is_usable(name) for _, name in socket.if_nameindex())
    return True


def _is_usable(name: str) -> bool:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        flags = struct.unpack("H", fcntl.ioctl(probe, SIOCGIFFLAGS, request)[16:18])[0]
        if not flags & IFF_UP or flags & IFF_LOOPBACK:
            return False
        with suppress(OSError):  # no IPv4 address
            fcntl.ioctl(probe, SIOCGIFADDR, request)
            return True
    return _has_ipv6(name)


def _has_ipv6(name: str) -> bool:
    with suppress(OSError):
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
        return any(line.split()[-1] == name for line in lines)
    return False
