"""What is asked of the pods: the time to end, as few rights as they need, images of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from telemetry.version import VERSION
from tests.unit.deploy.manifests import ROOT, Resource, Resources, deployments, environment, name_of
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

#: What a worker takes for its end besides DRAIN_TIMEOUT_S: devstack allows it 20 s, a busy node
#: has more.
WORKER_END_S = 45
#: What a token server takes after SHUTDOWN_DELAY_S: 5 s for what is under way, and its loops.
TOKENS_END_S = 15
#: The cluster autoscaler ends a pod's grace by then (`--max-graceful-termination-sec`).
LONGEST_GRACE_S = 600

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))

#: What the services of docker-compose.yml are built from.
BUILT = {
    service["build"]["dockerfile"] for service in COMPOSE["services"].values() if "build" in service
}


def seconds(resources: Resources, container: Resource, setting: str) -> float:
    """Return a setting of a container, which may be left at its default."""
    default = (TokenserverSettings.model_fields | WorkerSettings.model_fields)[setting.lower()]
    return float(environment(resources, container).get(setting) or default.default)


def grace_faults(resources: Resources) -> Iterator[str]:
    """Find pods that are killed before they are done, or that count on more time than there is."""
    for _, pod, container in deployments(resources):
        grace_s = pod.get("terminationGracePeriodSeconds", 30)
        hook = container.get("lifecycle", {}).get("preStop", {})
        match container["name"]:
            case "worker":
                if hook:
                    yield "worker: takes calls while its preStop hook runs"
                drain_s = seconds(resources, container, "DRAIN_TIMEOUT_S")
                if grace_s < drain_s + WORKER_END_S:
                    yield f"worker: killed after {grace_s} s, drains for {drain_s:g} s"
                if grace_s > LONGEST_GRACE_S:
                    yield "worker: the cluster autoscaler does not wait so long"
            case "tokens":
                delay_s = seconds(resources, container, "SHUTDOWN_DELAY_S")
                delay_s += hook.get("sleep", {}).get("seconds", 0)
                if grace_s < delay_s + TOKENS_END_S:
                    yield f"tokens: killed after {grace_s} s, stops within {delay_s:g} s at best"


def rights_faults(resources: Resources) -> Iterator[str]:
    """Find pods that may do more than they need, or take what they like."""
    for one, pod, container in deployments(resources):
        name = name_of(one)
        of_pod = pod.get("securityContext", {})
        own = container.get("securityContext", {})
        resource = container.get("resources", {})
        wants = {
            "not root": of_pod.get("runAsNonRoot") is True and of_pod.get("runAsUser", 0) > 0,
            "seccomp": of_pod.get("seccompProfile") == {"type": "RuntimeDefault"},
            "no escalation": own.get("allowPrivilegeEscalation") is False,
            "read-only": own.get("readOnlyRootFilesystem") is True,
            "no capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "no token": pod.get("automountServiceAccountToken") is False,
            "own network": not pod.get("hostNetwork") or container["name"] == "livekit",
            "requests": {"cpu", "memory"} <= resource.get("requests", {}).keys(),
            "limit of memory": "memory" in resource.get("limits", {}),
            "no limit of CPU": "cpu" not in resource.get("limits", {}),
            "probes": {"readinessProbe", "livenessProbe"} <= container.keys(),
        }
        yield from (f"{name}: {want}" for want, is_met in wants.items() if not is_met)


def image_faults(resources: Resources) -> Iterator[str]:
    """Find images that nobody builds or names, and tags that may mean something else tomorrow."""
    for _, _, container in deployments(resources):
        image, _, tag = container["image"].rpartition(":")
        name = container["name"]
        if name in {"redis", "livekit"}:
            if container["image"] != COMPOSE["services"][name]["image"]:
                yield f"{name}: not the image of docker-compose.yml"
        elif not re.fullmatch(rf"(registry\.example\.com/)?voicefleet-{name}", image):
            yield f"{name}: no image voicefleet-{name}"
        elif tag not in {"dev", VERSION}:
            yield f"{name}: tag {tag}"
        elif f"Dockerfile.{name}" not in BUILT:
            yield f"{name}: docker-compose.yml builds none"
