"""Which ports a stack gets. What is free is made up here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devstack.errors import PortTaken
from devstack.services import ports
from devstack.services.ports import (
    PORT_SETTINGS,
    PROMETHEUS_PORT,
    WEB_DEV_PORT,
    choose_port,
    choose_ports,
    random_ports,
    take_port,
)

Take = Callable[..., None]


@pytest.fixture(autouse=True)
def take(monkeypatch: pytest.MonkeyPatch) -> Take:
    """Decide which ports are taken; at first none is."""

    def take(*taken: int) -> None:
        monkeypatch.setattr(ports, "is_free", lambda port, _protocol="tcp": port not in taken)

    monkeypatch.setattr(ports, "owner_of", lambda *_: "nginx (pid 12)")
    take()
    return take


def test_defaults() -> None:
    chosen, replacements = choose_ports({})
    assert (chosen.redis, chosen.livekit, chosen.livekit_tcp) == (6379, 7880, 7881)
    assert (chosen.livekit_udp, chosen.localvoice) == (7882, 8010)
    assert (chosen.tokenserver, chosen.worker) == (8080, 8081)
    assert replacements == []


def test_a_taken_default_is_replaced_and_reported(take: Take) -> None:
    take(8080)
    chosen, replacements = choose_ports({})
    (replacement,) = replacements
    assert chosen.tokenserver == replacement.port != 8080
    assert str(replacement) == (
        f"port 8080 is taken by nginx (pid 12): tokenserver uses {replacement.port} "
        "(TOKENSERVER_PORT)"
    )


def test_a_named_port_is_taken_as_it_is() -> None:
    assert choose_ports({"WORKER_PORT": "9001"})[0].worker == 9001


def test_an_empty_variable_is_not_set() -> None:
    assert choose_ports({"WORKER_PORT": ""})[0].worker == 8081


def test_a_named_port_that_is_taken_is_an_error(take: Take) -> None:
    take(9001)
    with pytest.raises(PortTaken, match=r"WORKER_PORT=9001 is taken by nginx \(pid 12\): stop "):
        choose_ports({"WORKER_PORT": "9001"})


@pytest.mark.parametrize("text", ["no", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none(text: str) -> None:
    with pytest.raises(PortTaken, match=f"WORKER_PORT={text} is no port"):
        choose_ports({"WORKER_PORT": text})


def test_two_services_on_one_port() -> None:
    with pytest.raises(PortTaken, match="WORKER_PORT and TOKENSERVER_PORT are both 9001"):
        choose_ports({"WORKER_PORT": "9001", "TOKENSERVER_PORT": "9001"})


def test_a_default_that_another_service_was_given_is_replaced() -> None:
    chosen, replacements = choose_ports({"LIVEKIT_PORT": "8080"})
    assert chosen.tokenserver != chosen.livekit == 8080
    assert [one.setting.service for one in replacements] == ["tokenserver"]


def test_random_ports_differ() -> None:
    chosen = vars(random_ports())
    assert len(set(chosen.values())) == len(PORT_SETTINGS)


def test_the_port_of_web_dev_is_never_replaced(take: Take) -> None:
    """Whoever edits the pages has its address in a tab."""
    assert take_port(WEB_DEV_PORT, {"WEB_DEV_PORT": ""}) == 3000
    assert take_port(WEB_DEV_PORT, {"WEB_DEV_PORT": "3001"}) == 3001
    take(3000)
    with pytest.raises(PortTaken, match=r"WEB_DEV_PORT=3000 is taken by nginx \(pid 12\): stop "):
        take_port(WEB_DEV_PORT, {})


def test_the_port_of_prometheus_is_replaced_where_nobody_named_it(take: Take) -> None:
    assert choose_port(PROMETHEUS_PORT, {"PROMETHEUS_PORT": ""}) == (9090, None)
    assert choose_port(PROMETHEUS_PORT, {"PROMETHEUS_PORT": "9091"}) == (9091, None)
    take(9090)
    port, replacement = choose_port(PROMETHEUS_PORT, {})
    assert port != 9090
    assert str(replacement) == (
        f"port 9090 is taken by nginx (pid 12): prometheus uses {port} (PROMETHEUS_PORT)"
    )
    with pytest.raises(
        PortTaken, match=r"PROMETHEUS_PORT=9090 is taken by nginx \(pid 12\): stop "
    ):
        choose_port(PROMETHEUS_PORT, {"PROMETHEUS_PORT": "9090"})
