"""The environment, `.env`, and what services are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack import settings
from devstack.errors import DevstackError
from devstack.services.config import StackConfig
from devstack.services.fleet import fleet_services, tokenserver_service
from devstack.services.keys import Keys
from devstack.services.ports import random_ports
from devstack.services.service import Service
from devstack.settings import (
    REPO,
    cache_dir,
    is_set,
    load_environment,
    run_dir,
)


def test_cache_dir() -> None:
    assert cache_dir({"HOME": "/home/ada"}) == Path("/home/ada/.cache/voicefleet")
    xdg = {"HOME": "/home/ada", "XDG_CACHE_HOME": "/var/cache"}
    assert cache_dir(xdg) == Path("/var/cache/voicefleet")
    assert cache_dir(xdg | {"VOICEFLEET_CACHE": "/srv/tools"}) == Path("/srv/tools")


def test_run_dir() -> None:
    assert run_dir({}) == REPO / ".run"
    assert run_dir({"VOICEFLEET_RUN_DIR": "/srv/run"}) == Path("/srv/run")


def test_blank_is_not_set() -> None:
    assert not is_set({"A": " "}, "A")
    assert not is_set({}, "A")
    assert is_set({"A": "0"}, "A")


def test_dotenv_and_the_environment_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# a comment\n"
        "PLAIN=one\n"
        "export QUOTED='two words # kept'\n"
        'DOUBLE="a \\"b\\""  # dropped\n'
        "EMPTY=\n"
        "BARE\n"
        "BOTH=file\n"
    )
    monkeypatch.setattr(settings, "process_environment", lambda: {"BOTH": "real", "PATH": "/bin"})
    assert load_environment(dotenv) == {
        "PLAIN": "one",
        "QUOTED": "two words # kept",
        "DOUBLE": 'a "b"',
        "EMPTY": "",
        "BOTH": "real",
        "PATH": "/bin",
    }


def test_without_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "process_environment", lambda: {"A": "b"})
    assert load_environment(tmp_path / ".env") == {"A": "b"}


def fleet(tmp_path: Path, env: dict[str, str]) -> dict[str, Service]:
    configured = StackConfig(run_dir=tmp_path, ports=random_ports(), keys=Keys.generate(), env=env)
    services = fleet_services(configured, redis=Path("/redis"), livekit=Path("/livekit"))
    return {service.name: service for service in services}


def test_the_agent_speaks_with_localvoice_when_nothing_is_said(tmp_path: Path) -> None:
    services = fleet(tmp_path, {"OPENAI_API_KEY": ""})
    worker = services["worker"].command.env
    assert worker["OPENAI_BASE_URL"] == f"{services['localvoice'].url}/v1"
    assert worker["OPENAI_API_KEY"] == "local"
    assert worker["POOL_SIZE"] == "3"


@pytest.mark.parametrize(
    ("env", "timeout_s"),
    [
        ({}, "30"),
        ({"PROVIDER_TIMEOUT_S": "12"}, "12"),
        ({"OPENAI_API_KEY": "mine"}, None),
        ({"OPENAI_API_KEY": "mine", "PROVIDER_TIMEOUT_S": "12"}, "12"),
    ],
)
def test_localvoice_is_waited_for_longer_than_a_provider(
    tmp_path: Path, env: dict[str, str], timeout_s: str | None
) -> None:
    worker = fleet(tmp_path, env)["worker"].command.env
    assert worker.get("PROVIDER_TIMEOUT_S") == timeout_s


def test_the_agent_has_the_key_of_localvoice(tmp_path: Path) -> None:
    worker = fleet(tmp_path, {"LOCALVOICE_API_KEY": "mine"})["worker"].command.env
    assert worker["OPENAI_API_KEY"] == worker["LOCALVOICE_API_KEY"] == "mine"


def test_calls_may_go_on_for_as_long_as_they_are_promised(tmp_path: Path) -> None:
    worker = fleet(tmp_path, {"DRAIN_TIMEOUT_S": "600"})["worker"]
    assert worker.command.env["DRAIN_TIMEOUT_S"] == "600"
    assert worker.stop_within_s == 620
    with pytest.raises(DevstackError, match="DRAIN_TIMEOUT_S=soon is no number"):
        fleet(tmp_path, {"DRAIN_TIMEOUT_S": "soon"})


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_the_agent_speaks_with_the_provider_that_is_named(tmp_path: Path, variable: str) -> None:
    worker = fleet(tmp_path, {variable: "mine", "POOL_SIZE": "5"})["worker"].command.env
    assert worker[variable] == "mine"
    assert {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & worker.keys() == {variable}
    assert worker["POOL_SIZE"] == "5"


def test_services_know_each_other(tmp_path: Path) -> None:
    services = fleet(tmp_path, {"ADMIN_API_KEY": "mine", "LIVEKIT_URL": "wss://elsewhere"})
    tokens, worker = services["tokenserver"].command.env, services["worker"].command.env
    shared = ("REDIS_URL", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "AGENT_NAME")
    assert [tokens[name] for name in shared] == [worker[name] for name in shared]
    assert tokens["REDIS_URL"] == services["redis"].url
    assert tokens["LIVEKIT_URL"] == tokens["LIVEKIT_PUBLIC_URL"] == services["livekit"].url
    assert tokens["ADMIN_API_KEY"] == "mine"


def test_start_order(tmp_path: Path) -> None:
    names = ["redis", "livekit", "localvoice", "tokenserver", "worker"]
    assert list(fleet(tmp_path, {})) == names


@pytest.mark.parametrize("server", ["redis", "livekit"])
def test_servers_see_no_keys_and_no_stray_settings(tmp_path: Path, server: str) -> None:
    env = {"PATH": "/bin", "OPENAI_API_KEY": "x", "NODE_IP": "1.2.3.4", "HOME": "/home/ada"}
    assert fleet(tmp_path, env)[server].command.env == {"PATH": "/bin", "HOME": "/home/ada"}


def test_the_token_server_serves_your_pages_or_those_that_were_built(tmp_path: Path) -> None:
    def served(env: dict[str, str], web_dir: Path | None = None) -> tuple[str | None, bool]:
        configured = StackConfig(
            run_dir=tmp_path, ports=random_ports(), keys=Keys.generate(), env=env, web_dir=web_dir
        )
        told = tokenserver_service(configured).command.env.get("WEB_DIR")
        return told, configured.web_url == configured.api_url

    assert served({}, Path("/dist")) == ("/dist", True)
    assert served({"WEB_DIR": "/mine"}) == ("/mine", True)
    assert served({}) == (None, False)


def test_secrets_are_in_no_repr_and_no_argument(tmp_path: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-hidden", "ADMIN_API_KEY": "admin-hidden"}
    keys = Keys.generate()
    configured = StackConfig(run_dir=tmp_path, ports=random_ports(), keys=keys, env=env)
    services = fleet_services(configured, redis=Path("/redis"), livekit=Path("/livekit"))
    shown = repr((keys, configured, services)) + "".join(
        word for service in services for word in service.command.argv
    )
    for secret in (*env.values(), keys.livekit_api_secret, keys.admin_key):
        assert secret not in shown
