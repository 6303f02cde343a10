"""Nothing of ours is reached, however it is written; what is public is, and what is named."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from notices.address import ForbiddenAddress, Guard

FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",  # noqa: S104 - as an address to connect to: this machine
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "100::1",
]
PUBLIC = ["1.1.1.1", "100.128.0.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111"]
PUBLIC += ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_ours_are_not_reached(address: str) -> None:
    assert not Guard().may_reach(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_are(address: str) -> None:
    assert Guard().may_reach(address)


def test_networks_that_are_named_are_reached_and_no_others() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])
    assert guard.may_reach("10.1.2.3")
    assert guard.may_reach("::ffff:10.1.2.3")
    assert guard.may_reach("fd00::1")
    assert not guard.may_reach("10.2.0.1")
    assert not guard.may_reach("127.0.0.1")


def test_a_socket_is_made_for_what_may_be_reached_only() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))
    with pytest.raises(ForbiddenAddress):
        Guard().make_socket(info)
    made = Guard([ip_network("127.0.0.0/8")]).make_socket(info)
    made.close()
    assert made.family == socket.AF_INET
