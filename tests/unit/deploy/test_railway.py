"""deploy/railway: fields that Railway knows, of the types that it takes, and times that fit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.deploy.checks import PATHS, READ
from tests.unit.deploy.manifests import ROOT
from tests.unit.deploy.pods import TOKENS_END_S, WORKER_END_S

MODULES = {"tokens": "tokenserver", "worker": "worker"}
SERVICES = tuple(MODULES)
STARTERS = ("CMD", "ENTRYPOINT")
PAGE = (ROOT / "docs" / "deploy" / "railway.md").read_text(encoding="utf-8")
#: Of https://docs.railway.com/config-as-code/reference, as far as we use them. Seconds are numbers:
#: the strings that it shows are refused (railwayapp/docs#1243).
FIELDS: dict[str, dict[str, type]] = {
    "build": {"builder": str, "dockerfilePath": str},
    "deploy": {
        "healthcheckPath": str,
        "healthcheckTimeout": int,
        "restartPolicyType": str,
        "overlapSeconds": int,
        "drainingSeconds": int,
    },
}
#: Read by Railway, and not by our services.
OF_RAILWAY = {"PORT"}


def load(service: str) -> dict[str, Any]:
    path = ROOT / "deploy" / "railway" / f"{service}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def documented(setting: str) -> str:
    """Return the value that the page tells to set."""
    (value,) = set(re.findall(rf"\b{setting}=([\w.]+)", PAGE))
    found: str = value
    return found


def type_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find fields that Railway does not know, or would refuse."""
    for section, values in config.items():
        for name, value in values.items():
            kind = FIELDS.get(section, {}).get(name)
            if kind is None:
                yield f"no field {section}.{name}"
            elif type(value) is not kind:
                yield f"{name} is no {kind.__name__}"


def starts(dockerfile: str, module: str) -> bool:
    """Say whether an image runs the program itself."""
    return any(f'\n{word} ["python", "-m", "{module}"]\n' in dockerfile for word in STARTERS)


def faults_of(service: str, config: dict[str, Any]) -> Iterator[str]:
    """Find what Railway refuses, and what would cut calls."""
    yield from type_faults(config)
    build, deploy = config["build"], config["deploy"]
    dockerfile = ROOT / build["dockerfilePath"]
    if build["builder"] != "DOCKERFILE" or not dockerfile.is_file():
        yield "no Dockerfile"
    # A shell in between would keep SIGTERM to itself.
    elif not starts(dockerfile.read_text(), MODULES[service]):
        yield "SIGTERM does not reach the program"
    if deploy["healthcheckPath"] not in PATHS[service]:
        yield f"nothing at {deploy['healthcheckPath']}"
    if deploy["restartPolicyType"] != "ALWAYS":
        yield "given up after some tries"
    if float(deploy.get("drainingSeconds", 0)) < needed_s(service):
        yield "killed before it is done"
    if float(deploy.get("overlapSeconds", 0)) <= 0:
        yield "a gap between two deploys"


def needed_s(service: str) -> float:
    """Return how long a service may take to stop, with the settings of the page."""
    if service == "worker":
        return float(documented("DRAIN_TIMEOUT_S")) + WORKER_END_S
    return float(documented("SHUTDOWN_DELAY_S")) + TOKENS_END_S


@pytest.mark.parametrize("service", SERVICES)
def test_each_file_is_one_that_railway_takes(service: str) -> None:
    config = load(service)
    assert config.keys() == FIELDS.keys()
    assert config["deploy"].keys() == FIELDS["deploy"].keys()
    assert list(faults_of(service, config)) == []


@pytest.mark.parametrize(
    ("section", "name", "value", "fault"),
    [
        ("deploy", "drainingSeconds", 600, "killed before it is done"),
        ("deploy", "drainingSeconds", "660", "drainingSeconds is no int"),
        ("deploy", "overlapSeconds", 0, "a gap between two deploys"),
        ("deploy", "healthcheckPath", "/health", "nothing at /health"),
        ("deploy", "drainSeconds", 660, "no field deploy.drainSeconds"),
        ("deploy", "restartPolicyType", "ON_FAILURE", "given up after some tries"),
        ("build", "dockerfilePath", "Dockerfile", "no Dockerfile"),
        ("build", "dockerfilePath", "Dockerfile.tokens", "SIGTERM does not reach the program"),
    ],
)
def test_what_is_broken_is_found(section: str, name: str, value: object, fault: str) -> None:
    config = load("worker")
    config[section][name] = value
    assert fault in list(faults_of("worker", config))


def test_the_page_sets_what_is_read() -> None:
    named = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)*)=", PAGE))
    assert named - READ["tokens"] - READ["worker"] == OF_RAILWAY
    assert len(re.findall(r"PORT=(\d+)`, `\w+_PORT=\1`", PAGE)) == len(SERVICES)
