"""Which port each service gets, and who sits on a port that is taken."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devstack.errors import PortTaken

Protocol = Literal["tcp", "udp"]

LOOPBACK = "127.0.0.1"
FREE_RANGE = range(20_000, 32_000)
"""Where free ports are looked for: below those that systems use for outgoing connections."""


@dataclass(frozen=True)
class PortSetting:
    """The variable that names a port, and its default."""

    variable: str
    default: int
    service: str
    protocol: Protocol = "tcp"


PORT_SETTINGS = (
    PortSetting("REDIS_PORT", 6379, "redis"),
    PortSetting("LIVEKIT_PORT", 7880, "livekit"),
    PortSetting("LIVEKIT_TCP_PORT", 7881, "livekit"),
    PortSetting("LIVEKIT_UDP_PORT", 7882, "livekit", "udp"),
    PortSetting("LOCALVOICE_PORT", 8010, "localvoice"),
    PortSetting("TOKENSERVER_PORT", 8080, "tokenserver"),
    PortSetting("WORKER_PORT", 8081, "worker"),
)
WEB_DEV_PORT = PortSetting("WEB_DEV_PORT", 3000, "web-dev")
"""Not of the stack: where `make web-dev` serves the pages."""
PROMETHEUS_PORT = PortSetting("PROMETHEUS_PORT", 9090, "prometheus")
"""Not of the stack: where `make observe` has Prometheus."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One port per listener, all on loopback."""

    redis: int
    livekit: int
    livekit_tcp: int
    livekit_udp: int
    localvoice: int
    tokenserver: int
    worker: int


@dataclass(frozen=True)
class Replacement:
    """A default port that was taken, and the one used instead."""

    setting: PortSetting
    port: int
    owner: str

    def __str__(self) -> str:
        return (
            f"port {self.setting.default} is taken by {self.owner}: "
            f"{self.setting.service} uses {self.port} ({self.setting.variable})"
        )


def choose_ports(env: Mapping[str, str]) -> tuple[Ports, list[Replacement]]:
    """Take the ports that `env` names, or the defaults, or free ones where a default is taken.

    Raises `PortTaken` for a port that was named and is taken, or is no port number.
    """
    chosen: dict[str, int] = {}
    replacements: list[Replacement] = []
    for setting in PORT_SETTINGS:
        port, replacement = choose_port(setting, env, chosen)
        chosen[setting.variable] = port
        replacements += [replacement] if replacement else []
    return _ports(chosen), replacements


def choose_port(
    setting: PortSetting, env: Mapping[str, str], chosen: Mapping[str, int] | None = None
) -> tuple[int, Replacement | None]:
    """Take the port that `env` names, or the default, or a free one where the default is taken.

    Those that are `chosen` are taken, too. Raises `PortTaken` as `choose_ports` does.
    """
    chosen = chosen or {}
    if named := env.get(setting.variable):
        return _named_port(setting, named, chosen), None
    if setting.default not in chosen.values() and is_free(setting.default, setting.protocol):
        return setting.default, None
    port = free_port(avoid=chosen.values())
    return port, Replacement(setting, port, owner_of(setting.default, setting.protocol))


def take_port(setting: PortSetting, env: Mapping[str, str]) -> int:
    """Take the port that `env` names, or the default, and no other.

    Raises `PortTaken` when it is taken, or is no port number.
    """
    return _named_port(setting, env.get(setting.variable) or str(setting.default), {})


def random_ports() -> Ports:
    """Return free ports for a whole stack, for tests."""
    chosen: dict[str, int] = {}
    for setting in PORT_SETTINGS:
        chosen[setting.variable] = free_port(avoid=chosen.values())
    return _ports(chosen)


def _ports(chosen: Mapping[str, int]) -> Ports:
    return Ports(**{name.removesuffix("_PORT").lower(): port for name, port in chosen.items()})


def _named_port(setting: PortSetting, named: str, chosen: Mapping[str, int]) -> int:
    if not named.isdecimal() or not 0 < int(named) < 65536:
        raise PortTaken(f"{setting.variable}={named} is no port: give a number from 1 to 65535.")
    port = int(named)
    for variable, other in chosen.items():
        if other == port:
            raise PortTaken(f"{setting.variable} and {variable} are both {port}: change one.")
    if not is_free(port, setting.protocol):
        raise PortTaken(
            f"{setting.variable}={port} is taken by {owner_of(port, setting.protocol)}: "
            "stop that program, or choose another port."
        )
    return port


def is_free(port: int, protocol: Protocol = "tcp") -> bool:
    """Say whether a loopback port can be listened on right now."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol == "tcp":  # connections that linger in TIME_WAIT are no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            if protocol == "tcp":
                probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def free_port(avoid: Iterable[int] = ()) -> int:
    """Return a random port, free for TCP and UDP; another program may still be quicker to bind."""
    taken = set(avoid)
    for port in random.sample(FREE_RANGE, k=1000):
        if port not in taken and is_free(port, "tcp") and is_free(port, "udp"):
            return port
    raise PortTaken(f"no free port between {FREE_RANGE.start} and {FREE_RANGE.stop}")


def owner_of(port: int, protocol: Protocol = "tcp") -> str:
    """Name the program that holds a port, as far as this user may know."""
    inodes = _socket_inodes(port, protocol)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(link.readlink()).removeprefix("socket:[").removesuffix("]") in inodes:
                process = link.parent.parent
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "another program"


def _socket_inodes(port: int, protocol: Protocol) -> set[str]:
    """Return the inodes of sockets that listen on a port, from Linux's socket tables."""
    listening = "0A" if protocol == "tcp" else "07"
    inodes = set()
    for table in (Path(f"/proc/net/{protocol}"), Path(f"/proc/net/{protocol}6")):
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[3] == listening:
                    inodes.add(fields[9])
    return inodes
