"""What is wrong with Kubernetes manifests of ours, in words; each check is tried on broken ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import jsonschema
from kubernetes_validate import SchemaNotFoundError, ValidationError, utils

from localvoice.app import ROUTES
from localvoice.settings import Settings as LocalvoiceSettings
from tests.unit.deploy.custom import SCHEMAS
from tests.unit.deploy.manifests import (
    Resource,
    Resources,
    data_of,
    deployments,
    environment,
    name_of,
    of_kind,
)
from tokenserver.app import OPERATIONS
from tokenserver.settings import TokenserverSettings
from worker.host.health import Health, build_app
from worker.settings import WorkerSettings

#: The newest Kubernetes whose schemas there are, and the two before.
VERSIONS = sorted(set(utils.all_versions()), key=utils.Version)[-3:]

#: Variables that the program of an image reads.
READ: Mapping[str, frozenset[str]] = {
    "tokens": frozenset(name.upper() for name in TokenserverSettings.model_fields),
    "worker": frozenset(name.upper() for name in WorkerSettings.model_fields),
    "localvoice": frozenset(
        f"LOCALVOICE_{name.upper()}" for name in LocalvoiceSettings.model_fields
    ),
    # The first two are for the value of the third.
    "livekit": frozenset({"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_KEYS"}),
    "redis": frozenset(),
}
#: Those that are hidden in logs; localvoice's are in no manifest.
SECRETS = frozenset(
    name.upper()
    for name, field in (TokenserverSettings.model_fields | WorkerSettings.model_fields).items()
    if "SecretStr" in str(field.annotation)
)
#: What each answers to a GET without a key.
PATHS: Mapping[str, frozenset[str]] = {
    "tokens": frozenset(one.path for one in OPERATIONS if one.method == "GET"),
    "worker": frozenset(
        str(one.canonical)
        for one in build_app(cast("Health", None), lambda: b"").router.resources()
    ),
    "localvoice": frozenset(one.path for one in ROUTES),
    "livekit": frozenset({"/"}),
    "redis": frozenset(),
}
PORT_SETTINGS = {
    "tokens": "TOKENSERVER_PORT",
    "worker": "WORKER_PORT",
    "localvoice": "LOCALVOICE_PORT",
}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def schema_faults(resource: Resource, version: str) -> list[str]:
    """Compare with the schema of a version of Kubernetes, or with ours."""
    if schema := SCHEMAS.get(resource["kind"]):
        validator = jsonschema.Draft202012Validator(schema)
        return [error.message for error in validator.iter_errors(resource)]
    try:
        utils.validate(resource, version, strict=True)
    except (ValidationError, SchemaNotFoundError) as error:
        return [error.message]
    return []


def setting_faults(resources: Resources) -> Iterator[str]:
    """Find variables that nobody reads."""
    for _, _, container in deployments(resources):
        name = container["name"]
        strange = environment(resources, container).keys() - READ[name]
        yield from (f"{name} reads no {variable}" for variable in sorted(strange))


def reference_faults(resources: Resources, secret_keys: Iterable[str]) -> Iterator[str]:
    """Find settings, files and secrets that are referred to and do not exist."""
    for one, pod, container in deployments(resources):
        sources = container.get("envFrom", ())
        maps = [source["configMapRef"]["name"] for source in sources if "configMapRef" in source]
        maps += [v["configMap"]["name"] for v in pod.get("volumes", ()) if "configMap" in v]
        yield from (f"no ConfigMap {name}" for name in maps if not data_of(resources, name))
        for source in sources:
            if not source.get("secretRef", {"optional": True}).get("optional"):
                yield f"no Secret {source['secretRef']['name']}"
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield from _secret_faults(reference, secret_keys)
        mounts = {mount["name"] for mount in container.get("volumeMounts", ())}
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        yield from (f"{name_of(one)}: no volume {name}" for name in sorted(mounts ^ volumes))
    for one in of_kind(resources, "ServiceMonitor"):
        for endpoint in one["spec"]["endpoints"]:
            if "authorization" in endpoint:
                yield from _secret_faults(endpoint["authorization"]["credentials"], secret_keys)


def openness_faults(resources: Resources) -> Iterator[str]:
    """Find secrets that stand where everybody may read them."""
    for _, _, container in deployments(resources):
        for name, value in environment(resources, container).items():
            if name in SECRETS and value is not None:
                yield f"{container['name']}: {name} is open to all"


def _secret_faults(reference: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    if reference["name"] != "voicefleet":
        yield f"no Secret {reference['name']}"
    elif reference["key"] not in keys and not reference.get("optional"):
        yield f"the Secret has no {reference['key']}"


def port_faults(resources: Resources) -> Iterator[str]:
    """Find probes, Services, policies and monitors that ask where nobody answers."""
    for one, _, container in deployments(resources):
        name = container["name"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        setting = PORT_SETTINGS.get(name)
        if setting and environment(resources, container).get(setting) != str(ports.get("http")):
            yield f"{name}: {setting} is not the port of the container"
        for kind in PROBES:
            probe = container.get(kind, {})
            asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
            if asked and asked["port"] not in ports:
                yield f"{name_of(one)}: {kind} asks {asked['port']}"
            if "path" in asked and asked["path"] not in PATHS[name]:
                yield f"{name}: nothing at {asked['path']}"
    for one, wanted, kind in _asked_ports(resources):
        chosen = selected(resources, one, kind)
        there = {port["name"] for _, _, c in chosen for port in c["ports"]}
        yield from (f"{name_of(one)}: no port {port}" for port in wanted if port not in there)


def _asked_ports(resources: Resources) -> Iterator[tuple[Resource, list[str], str]]:
    """Yield who names ports of pods, which, and where its selector is."""
    for one in resources:
        spec = one.get("spec", {})
        match one["kind"]:
            case "Service":
                yield one, [port["targetPort"] for port in spec["ports"]], "selector"
            case "NetworkPolicy":
                rules = spec.get("ingress", ())
                named = [port["port"] for rule in rules for port in rule.get("ports", ())]
                yield one, named, "podSelector"
            case "ServiceMonitor":
                yield one, [endpoint["port"] for endpoint in spec["endpoints"]], "selector"
            case "PodMonitor":
                yield one, [end["port"] for end in spec["podMetricsEndpoints"]], "selector"


def selected(
    resources: Resources, one: Resource, field: str
) -> list[tuple[Resource, Resource, Resource]]:
    """Return the Deployments whose pods a selector takes. A ServiceMonitor's takes Services, which
    are labelled as their pods are."""
    selector = one["spec"].get(field, {})
    labels = selector if one["kind"] == "Service" else selector.get("matchLabels", {})
    return [
        found
        for found in deployments(resources)
        if labels.items() <= found[0]["spec"]["template"]["metadata"]["labels"].items()
    ]


def selector_faults(resources: Resources) -> Iterator[str]:
    """Find selectors that take nothing."""
    for one, pod, _ in deployments(resources):
        labels = one["spec"]["template"]["metadata"]["labels"]
        selectors = [one["spec"]["selector"]]
        selectors += [
            spread["labelSelector"] for spread in pod.get("topologySpreadConstraints", ())
        ]
        if any(not s["matchLabels"].items() <= labels.items() for s in selectors):
            yield f"{name_of(one)} does not select its pods"
    for kind, field in (
        ("Service", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("ServiceMonitor", "selector"),
        ("PodMonitor", "selector"),
    ):
        for one in of_kind(resources, kind):
            if not selected(resources, one, field):
                yield f"{name_of(one)} selects nothing"


def target_faults(resources: Resources) -> Iterator[str]:
    """Find autoscalers of nothing, and ways in that lead nowhere."""
    there = {one["metadata"]["name"] for one in of_kind(resources, "Deployment")}
    for one in of_kind(resources, "HorizontalPodAutoscaler", "ScaledObject"):
        if one["spec"]["scaleTargetRef"]["name"] not in there:
            yield f"{name_of(one)} scales nothing"
    services = {one["metadata"]["name"]: one for one in of_kind(resources, "Service")}
    for one in of_kind(resources, "Ingress"):
        for path in (path for rule in one["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            ports = services.get(backend["name"], {}).get("spec", {}).get("ports", ())
            if backend["port"]["name"] not in {port["name"] for port in ports}:
                yield f"{name_of(one)} leads nowhere"
