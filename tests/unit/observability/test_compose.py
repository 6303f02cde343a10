"""docker-compose.yml, Prometheus' configuration and Grafana's provisioning speak of the same."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from devstack.services.prometheus import RETENTION
from tests.support.dashboards import GRAFANA
from tests.unit.observability.known import PROMETHEUS, ROOT, RULES, load
from worker.settings import WorkerSettings

COMPOSE = load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service.get("profiles") == ["observability"]
}
CONFIG = load(PROMETHEUS / "prometheus.yml")
JOBS = {job["job_name"]: job for job in CONFIG["scrape_configs"]}
DAYS = re.compile(r"\[(\d+)d\]")

services = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def mounts(service: dict[str, Any]) -> dict[PurePosixPath, Path]:
    """Return where a container has which of our files, which it cannot change."""
    found = {}
    for volume in service["volumes"]:
        source, target, *options = volume.split(":")
        if source.startswith("./"):
            assert options == ["ro"], volume
            found[PurePosixPath(target)] = ROOT / source
        else:
            assert source in COMPOSE["volumes"], volume
    return found


def option(name: str) -> str:
    """Return what Prometheus is told on its command line."""
    (value,) = [
        word.partition("=")[2]
        for word in SERVICES["prometheus"]["command"]
        if word.startswith(f"--{name}=")
    ]
    return str(value)


def test_there_are_two() -> None:
    assert set(SERVICES) == {"prometheus", "grafana"}


@services
def test_they_are_like_the_others(service: dict[str, Any]) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert service["network_mode"] == "host"
    assert service["restart"] == "always"
    assert all(path.exists() for path in mounts(service).values())


def test_they_listen_on_loopback_only() -> None:
    address = option("web.listen-address")
    assert address.startswith("127.0.0.1:")
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    (source,) = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == f"http://{address}"


def test_the_key_is_in_a_file() -> None:
    assert COMPOSE["secrets"] == {"admin_key": {"environment": "ADMIN_API_KEY"}}
    file = "/run/secrets/admin_key"
    assert JOBS["voicefleet-tokens"]["authorization"] == {"credentials_file": file}
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == file
    assert all(service["secrets"] == ["admin_key"] for service in SERVICES.values())
    assert "authorization" not in JOBS["voicefleet-workers"]


def test_prometheus_finds_its_files() -> None:
    files = mounts(SERVICES["prometheus"])
    config = PurePosixPath(option("config.file"))
    assert files[config] == PROMETHEUS / "prometheus.yml"
    (rules,) = CONFIG["rule_files"]
    folder = config.parent / PurePosixPath(rules).parent
    assert files[folder] == PROMETHEUS / "rules"
    assert list(files[folder].glob(PurePosixPath(rules).name))


def test_grafana_finds_its_files() -> None:
    files = mounts(SERVICES["grafana"])
    (provider,) = load(GRAFANA / "provisioning" / "dashboards" / "voicefleet.yml")["providers"]
    assert files[PurePosixPath(provider["options"]["path"])] == GRAFANA / "dashboards"
    assert files[PurePosixPath("/etc/grafana/provisioning")] == GRAFANA / "provisioning"


def test_what_is_asked_is_kept() -> None:
    asked_days = max(int(days) for rule in RULES for days in DAYS.findall(rule["expr"]))
    assert option("storage.tsdb.retention.time") == f"{asked_days + 1}d" == RETENTION


def test_targets_are_those_of_the_containers() -> None:
    port = COMPOSE["services"]["tokens"]["environment"]["TOKENSERVER_PORT"]
    targets = {name: job["static_configs"][0]["targets"] for name, job in JOBS.items()}
    assert targets == {
        "voicefleet-tokens": [f"127.0.0.1:{port}"],
        "voicefleet-workers": [f"127.0.0.1:{WorkerSettings.model_fields['worker_port'].default}"],
    }


def test_all_know_how_often_it_scrapes() -> None:
    assert CONFIG["global"]["scrape_interval"] == CONFIG["global"]["evaluation_interval"] == "15s"
    (source,) = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["jsonData"]["timeInterval"] == CONFIG["global"]["scrape_interval"]
    assert all(re.fullmatch("voicefleet.*", name) for name in JOBS)
