"""The overlays of deploy/kubernetes, as kustomize builds them, and where things are in them."""

from __future__ import annotations

import copy
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devstack.settings import process_environment
from tests.support.servers import lacking

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
#: Production with the other autoscaler, by the one line that says so.
WITH_KEDA = "prod-keda"
OVERLAYS = ("dev", "prod", WITH_KEDA)

Resource = dict[str, Any]
Resources = Sequence[Resource]


def kustomize() -> tuple[str, ...]:
    """Return the command that builds a folder; skip the test without one, in CI fail it."""
    path = process_environment().get("PATH")
    if program := shutil.which("kustomize", path=path):
        return (program, "build")
    if not (program := shutil.which("kubectl", path=path)):
        lacking("neither kustomize nor kubectl is on PATH, so that no overlay can be built")
    return (program, "kustomize")


def build(folder: Path) -> list[Resource]:
    """Return what an overlay comes to."""
    done = subprocess.run(
        [*kustomize(), str(folder)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@functools.cache
def _built(name: str) -> tuple[Resource, ...]:
    if name != WITH_KEDA:
        return tuple(build(KUBERNETES / "overlays" / name))
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(shutil.copytree(KUBERNETES, Path(scratch) / "kubernetes"))
        file = copied / "overlays" / "prod" / "kustomization.yaml"
        text = file.read_text(encoding="utf-8")
        changed = text.replace("- ../../components/hpa\n", "- ../../components/keda\n")
        assert changed != text
        file.write_text(changed, encoding="utf-8")
        return tuple(build(file.parent))


def overlay(name: str) -> list[Resource]:
    """Return an overlay's resources, to do with what you like."""
    return list(copy.deepcopy(_built(name)))


def name_of(resource: Resource) -> str:
    """What messages call it."""
    return f"{resource['kind']}/{resource['metadata']['name']}"


def of_kind(resources: Resources, *kinds: str) -> list[Resource]:
    """Return those of some kinds."""
    return [one for one in resources if one["kind"] in kinds]


def the(resources: Resources, name: str) -> Resource:
    """Return the one that is called so, as Kind/name; the name may go on with kustomize's hash."""
    (found,) = [
        one for one in resources if name_of(one) == name or name_of(one).rpartition("-")[0] == name
    ]
    return found


def deployments(resources: Resources) -> Iterator[tuple[Resource, Resource, Resource]]:
    """Yield each Deployment with the spec of its pods and its container."""
    for one in of_kind(resources, "Deployment"):
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield one, pod, container


def environment(resources: Resources, container: Resource) -> dict[str, str | None]:
    """Return the variables of a container; None where a Secret has the value."""
    values: dict[str, str | None] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            values |= data_of(resources, source["configMapRef"]["name"])
    for one in container.get("env", ()):
        values[one["name"]] = one.get("value")
    return values


def data_of(resources: Resources, config_map: str) -> Mapping[str, str]:
    """Return what a ConfigMap has; nothing where it does not exist."""
    for one in of_kind(resources, "ConfigMap"):
        if one["metadata"]["name"] == config_map:
            data: Mapping[str, str] = one["data"]
            return data
    return {}
