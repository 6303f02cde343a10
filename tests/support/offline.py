"""Runs a command on a machine of its own whose cable to the world leads nowhere but to a listener.

    unshare --user --map-root-user --net python -m tests.support.offline REPORT COMMAND …

Inside a fresh network namespace there are loopback and one interface with a default route (WebRTC
needs an interface with an address, even for talks within the machine). Whatever leaves through that
route is written down instead of being delivered, so the report lists every outside address that
anything tried to reach: name servers included.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

#: RFC 5737 and RFC 3849 set these networks aside for documentation; nothing real is there.
_HERE, _GATEWAY = "192.0.2.1", "192.0.2.2"
_HERE_6, _GATEWAY_6 = "2001:db8::1", "2001:db8::2"
_GATEWAY_MAC = "02:00:00:00:00:02"
_IPV4, _IPV6 = 0x0800, 0x86DD

_WIRING = f"""\
ip link set lo up
ip link add vf0 type veth peer name vf1 address {_GATEWAY_MAC}
ip addr add {_HERE}/24 dev vf0
ip -6 addr add {_HERE_6}/64 dev vf0 nodad
ip link set vf0 up
ip link set vf1 up
ip neigh add {_GATEWAY} lladdr {_GATEWAY_MAC} dev vf0
ip -6 neigh add {_GATEWAY_6} lladdr {_GATEWAY_MAC} dev vf0
ip route add default via {_GATEWAY}
ip -6 route add default via {_GATEWAY_6}
"""


def main() -> int:
    """Run the command and write the report; return the command's exit status."""
    report, command = Path(sys.argv[1]), sys.argv[2:]
    for line in _WIRING.splitlines():
        subprocess.run(line.split(), check=True, timeout=10)
    listener = Listener("vf1")
    done = subprocess.run(command, check=False)
    report.write_text(json.dumps(sorted(listener.stop())), encoding="utf-8")
    return done.returncode


class Listener:
    """Writes down where packets on one interface want to go."""

    def __init__(self, interface: str) -> None:
        self._seen: set[str] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind((interface, 0))
        self._socket.settimeout(0.2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def stop(self) -> set[str]:
        """Stop listening; return the destinations, as ``address protocol port``."""
        self._stopped.set()
        self._thread.join(10)
        self._socket.close()
        return self._seen

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                packet = self._socket.recv(65_535)
            except TimeoutError:
                continue
            if (destination := destination_of(packet)) is not None:
                self._seen.add(destination)


def destination_of(packet: bytes) -> str | None:
    """Return where an Ethernet frame is bound, or None if that is nowhere beyond the cable.

    Multicast is left out: it is the kernel itself that looks for its neighbours (RFC 4861).
    """
    (kind,) = struct.unpack_from("!H", packet, 12)
    if kind == _IPV4:
        protocol, address = packet[23], ipaddress.ip_address(packet[30:34])
        ports = 14 + 4 * (packet[14] & 0x0F)
    elif kind == _IPV6:
        protocol, address, ports = packet[20], ipaddress.ip_address(packet[38:54]), 54
    else:
        return None
    if address.is_multicast:
        return None
    port = struct.unpack_from("!H", packet, ports + 2)[0] if protocol in (6, 17) else 0
    return f"{address} {'udp' if protocol == 17 else 'tcp' if protocol == 6 else protocol} {port}"


if __name__ == "__main__":
    sys.exit(main())
