"""livekit.yaml, as it is in git and as it is filled in."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from devstack.services.keys import LIVEKIT_KEY_NAME, Keys
from devstack.services.ports import Ports
from devstack.services.servers import LIVEKIT_YAML, render_livekit_yaml

TEXT = LIVEKIT_YAML.read_text(encoding="utf-8")
PORTS = Ports(
    redis=1, livekit=2, livekit_tcp=3, livekit_udp=4, localvoice=5, tokenserver=6, worker=7
)
KEYS = Keys.generate()
WEBHOOK = "http://127.0.0.1:1/hook"


def render(webhook_url: str | None = WEBHOOK) -> dict[str, Any]:
    text = render_livekit_yaml(TEXT, ports=PORTS, keys=KEYS, webhook_url=webhook_url)
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def test_the_file_in_git_holds_no_secret_but_names_the_key() -> None:
    config = yaml.safe_load(TEXT)
    assert "keys" not in config
    assert config["webhook"]["api_key"] == LIVEKIT_KEY_NAME


def test_each_setting_is_explained() -> None:
    """A comment stands above each key, above its group, or above the first of a few alike."""
    for block in re.split(r"\n\s*\n", TEXT):
        assert block.lstrip().startswith("#") or "\n  #" in block


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("port", PORTS.livekit),
        ("rtc.tcp_port", PORTS.livekit_tcp),
        ("rtc.udp_port", PORTS.livekit_udp),
        ("rtc.stun_servers", [f"127.0.0.1:{PORTS.livekit_tcp}"]),
        ("keys", {KEYS.livekit_api_key: KEYS.livekit_api_secret}),
        ("webhook.api_key", KEYS.livekit_api_key),
        ("webhook.urls", [WEBHOOK]),
    ],
)
def test_what_differs_between_runs_is_filled_in(path: str, expected: object) -> None:
    value: Any = render()
    for key in path.split("."):
        value = value[key]
    assert value == expected


def test_everything_else_stays() -> None:
    config, original = render(), yaml.safe_load(TEXT)
    for group in ("bind_addresses", "room", "agents", "logging"):
        assert config[group] == original[group]
    assert config["webhook"]["filter_params"] == original["webhook"]["filter_params"]


def test_clients_are_sent_to_no_public_server() -> None:
    """Without a list the server names public STUN servers, which each client then contacts."""
    assert yaml.safe_load(TEXT)["rtc"]["stun_servers"]


def test_without_a_listener_there_are_no_webhooks() -> None:
    assert "webhook" not in render(webhook_url=None)


def test_one_server_stands_alone_so_that_calls_outlive_redis() -> None:
    assert "redis" not in render()


def test_whole_sections_may_be_added_or_replaced() -> None:
    sections = {"redis": {"address": "127.0.0.1:1"}, "logging": {"level": "warn"}}
    text = render_livekit_yaml(TEXT, ports=PORTS, keys=KEYS, webhook_url=WEBHOOK, sections=sections)
    config = yaml.safe_load(text)
    assert config["redis"] == {"address": "127.0.0.1:1"}
    assert config["logging"] == {"level": "warn"}
