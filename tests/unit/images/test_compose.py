"""docker-compose.yml, the Dockerfiles and the settings speak of the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from devstack.images.dockerfile import healthcheck_of, read_dockerfile
from devstack.images.room import TEMPORARY
from devstack.services.config import DEFAULTS
from devstack.settings import REPO
from localvoice.settings import Settings as LocalvoiceSettings
from reference.settings_groups import FIELDS
from telemetry.version import VERSION
from tests.unit.observability.known import load
from tokenserver import serve

COMPOSE = load(REPO / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
#: Their secret is no file: docker/compose#12531.
WRITABLE = {"prometheus", "grafana"}
LONGEST_GRACE_S = 3600

services = pytest.mark.parametrize("name", SERVICES)
ours = pytest.mark.parametrize("name", OURS)


def seconds(text: str) -> int:
    """Read a duration, as Compose writes it."""
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def default(name: str) -> float:
    value = FIELDS[name].default
    assert isinstance(value, int | float)
    return value


@services
def test_nobody_has_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "always"
    assert "cap_add" not in service
    assert "privileged" not in service


@services
def test_what_can_be_read_only_is(name: str) -> None:
    service = SERVICES[name]
    assert bool(service.get("read_only")) == (name not in WRITABLE)
    assert bool(service.get("secrets")) == (name in WRITABLE)
    if service.get("read_only"):
        (folder,) = service["tmpfs"]
        path, _, options = folder.partition(":")
        assert path == TEMPORARY
        assert re.fullmatch(r"size=\d+m,mode=1777", options)


@services
def test_everybody_tells_whether_it_is_healthy(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert "healthcheck" not in service, "that of the image holds"
        assert healthcheck_of(read_dockerfile(REPO / service["build"]["dockerfile"]).image)
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


@services
def test_who_waits_waits_for_health(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert set(SERVICES[needed].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


@services
def test_everybody_has_time_to_end(name: str) -> None:
    at_least_s = {
        "worker": default("drain_timeout_s") + 30,
        "worker-local": default("drain_timeout_s") + 30,
        "tokens": default("shutdown_delay_s") + serve._GRACE_S + 10,
        "localvoice": LocalvoiceSettings.model_fields["shutdown_timeout_s"].default + 5,
    }.get(name, 10)
    assert at_least_s < seconds(SERVICES[name]["stop_grace_period"]) <= LONGEST_GRACE_S


@ours
def test_what_is_set_is_a_setting(name: str) -> None:
    known = {field.upper() for field in FIELDS}
    known |= {f"LOCALVOICE_{field.upper()}" for field in LocalvoiceSettings.model_fields}
    assert OURS[name]["environment"].keys() <= known


@ours
def test_ours_are_told_apart_by_version(name: str) -> None:
    service = OURS[name]
    kind = service["build"]["dockerfile"].rpartition(".")[2]
    assert service["image"] == f"voicefleet-{kind}:${{VERSION:-{VERSION}}}"
    arguments = service["build"]["args"]
    assert arguments["VERSION"] == f"${{VERSION:-{VERSION}}}"
    text = (REPO / service["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert all(f"ARG {argument}=" in text for argument in arguments)


@ours
def test_they_listen_on_loopback_only(name: str) -> None:
    service = OURS[name]
    assert service["network_mode"] == "host"
    hosts = {key: value for key, value in service["environment"].items() if key.endswith("_HOST")}
    assert list(hosts.values()) == ["127.0.0.1"]


def test_folders_of_the_images_are_not_those_of_this_machine() -> None:
    """`env_file` would bring what .env says of this machine's folders."""
    for service in OURS.values():
        image = read_dockerfile(REPO / service["build"]["dockerfile"]).image
        text = "\n".join(one.rest for one in image.all("ENV"))
        folders = dict(re.findall(r"(\w+_DIR)=(\S+)", text))
        set_again = service["environment"]
        assert {name: set_again.get(name) for name in folders} == folders


def test_volumes_of_images_have_names() -> None:
    """Else each new container would begin with an empty one."""
    for service in OURS.values():
        image = read_dockerfile(REPO / service["build"]["dockerfile"]).image
        mounted = {volume.split(":")[1] for volume in service.get("volumes", [])}
        declared = {path for one in image.all("VOLUME") for path in one.exec_form or ()}
        assert declared == mounted
        assert {v.split(":")[0] for v in service.get("volumes", [])} <= COMPOSE["volumes"].keys()


def test_one_worker_for_each_kind_of_provider() -> None:
    profiles = {name: service.get("profiles") for name, service in OURS.items()}
    assert profiles == {
        "localvoice": ["local"],
        "tokens": None,
        "worker": ["openai"],
        "worker-local": ["local"],
    }
    own, local = SERVICES["worker"], SERVICES["worker-local"]
    port = SERVICES["localvoice"]["environment"]["LOCALVOICE_PORT"]
    assert local["environment"] == own["environment"] | {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": "${LOCALVOICE_API_KEY:-local}",
        "PROVIDER_TIMEOUT_S": f"${{PROVIDER_TIMEOUT_S:-{DEFAULTS['PROVIDER_TIMEOUT_S']}}}",
    }
    assert "localvoice" in local["depends_on"]
