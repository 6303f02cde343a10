"""deploy/kubernetes, as built, fits the schemas of Kubernetes, itself, and our services."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from bench.capacity.model import SHARED, Load, Machine, sessions_on
from tests.unit.deploy.checks import (
    VERSIONS,
    openness_faults,
    port_faults,
    reference_faults,
    schema_faults,
    selector_faults,
    setting_faults,
    target_faults,
)
from tests.unit.deploy.manifests import (
    KUBERNETES,
    OVERLAYS,
    ROOT,
    Resource,
    data_of,
    deployments,
    environment,
    name_of,
    of_kind,
    overlay,
    the,
)
from tests.unit.deploy.pods import grace_faults, image_faults, rights_faults
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

DOCS = ROOT / "docs" / "deploy" / "kubernetes.md"
SECRET = re.compile(r"create secret generic voicefleet((?: \\\n|[^\n])*)")


def secret_keys(namespace: str) -> set[str]:
    """Return the keys of the Secret that the documentation tells to make in a namespace."""
    (command,) = [
        one for one in SECRET.findall(DOCS.read_text(encoding="utf-8")) if f"-n {namespace} " in one
    ]
    return set(re.findall(r"--from-literal=(\w+)=", command))


def all_faults(resources: list[Resource], namespace: str) -> list[str]:
    """Return all that is wrong with an overlay, but for schemas."""
    faults = [*setting_faults(resources), *port_faults(resources), *selector_faults(resources)]
    faults += [*target_faults(resources), *reference_faults(resources, secret_keys(namespace))]
    faults += openness_faults(resources)
    return [*faults, *grace_faults(resources), *rights_faults(resources), *image_faults(resources)]


@pytest.fixture(params=OVERLAYS)
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    """What one overlay comes to."""
    return overlay(request.param)


def test_versions_are_the_newest_that_there_are() -> None:
    minors = [tuple(map(int, version.split(".")[:2])) for version in VERSIONS]
    newest = minors[-1]
    assert minors == [(newest[0], newest[1] - back) for back in (2, 1, 0)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_fits_its_schema(resources: list[Resource], version: str) -> None:
    assert len(resources) > 10
    faults = {name_of(one): schema_faults(one, version) for one in resources}
    assert {name: found for name, found in faults.items() if found} == {}


def test_everything_fits_together(resources: list[Resource]) -> None:
    namespace = resources[0]["metadata"].get("namespace") or resources[0]["metadata"]["name"]
    assert all_faults(resources, namespace) == []


def test_each_resource_is_in_the_namespace_of_its_overlay(resources: list[Resource]) -> None:
    (namespace,) = of_kind(resources, "Namespace")
    others = {one["metadata"].get("namespace") for one in resources if one is not namespace}
    assert others == {namespace["metadata"]["name"]}


Break = Callable[[list[Resource]], object]


def pod_of(resources: list[Resource], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = the(resources, f"Deployment/voicefleet-{name}")["spec"]["template"][
        "spec"
    ]
    return spec


def container_of(resources: list[Resource], name: str) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(resources, name)["containers"][0]
    return container


def config_of(resources: list[Resource], name: str) -> dict[str, str]:
    data: dict[str, str] = the(resources, f"ConfigMap/voicefleet-{name}")["data"]
    return data


BREAKS: dict[str, Break] = {
    "Additional properties are not allowed ('replica'": lambda r: the(
        r, "Deployment/voicefleet-worker"
    )["spec"].update(replica=3),
    "'two' is not of type": lambda r: the(r, "Deployment/voicefleet-tokens")["spec"].update(
        replicas="two"
    ),
    "Couldn't find schema for kind Depot": lambda r: r.append(
        {"kind": "Depot", "apiVersion": "apps/v1", "metadata": {"name": "x"}}
    ),
    "worker reads no DRAIN_TIMEOUT": lambda r: config_of(r, "worker").update(DRAIN_TIMEOUT="540"),
    "tokens reads no OPENAI_API_KEY": lambda r: container_of(r, "tokens")["env"].append(
        {"name": "OPENAI_API_KEY", "value": "x"}
    ),
    "no ConfigMap voicefleet-wörker": lambda r: container_of(r, "worker").update(
        envFrom=[{"configMapRef": {"name": "voicefleet-wörker"}}]
    ),
    "the Secret has no REDIS": lambda r: container_of(r, "worker")["env"][0]["valueFrom"][
        "secretKeyRef"
    ].update(key="REDIS"),
    "no Secret other": lambda r: container_of(r, "tokens")["env"][0]["valueFrom"][
        "secretKeyRef"
    ].update(name="other"),
    "Deployment/voicefleet-worker: no volume greetings": lambda r: pod_of(r, "worker")[
        "volumes"
    ].pop(),
    "tokens: ALERT_WEBHOOK_URL is open to all": lambda r: config_of(r, "tokens").update(
        ALERT_WEBHOOK_URL="https://hooks.example.com/key"
    ),
    "no Secret voicefleet-worker": lambda r: container_of(r, "worker")["envFrom"][1][
        "secretRef"
    ].pop("optional"),
    "worker: nothing at /livez": lambda r: container_of(r, "worker")["livenessProbe"][
        "httpGet"
    ].update(path="/livez"),
    "Deployment/voicefleet-tokens: readinessProbe asks web": lambda r: container_of(r, "tokens")[
        "readinessProbe"
    ]["httpGet"].update(port="web"),
    "worker: WORKER_PORT is not the port": lambda r: config_of(r, "worker").update(
        WORKER_PORT="8082"
    ),
    "Service/voicefleet-tokens: no port web": lambda r: the(r, "Service/voicefleet-tokens")["spec"][
        "ports"
    ][0].update(targetPort="web"),
    "NetworkPolicy/voicefleet-worker: no port 8081": lambda r: the(
        r, "NetworkPolicy/voicefleet-worker"
    )["spec"]["ingress"][0]["ports"][0].update(port=8081),
    "PodMonitor/voicefleet-worker: no port metrics": lambda r: the(
        r, "PodMonitor/voicefleet-worker"
    )["spec"]["podMetricsEndpoints"][0].update(port="metrics"),
    "PodDisruptionBudget/voicefleet-worker selects nothing": lambda r: the(
        r, "PodDisruptionBudget/voicefleet-worker"
    )["spec"]["selector"]["matchLabels"].update(app="x"),
    "Deployment/voicefleet-worker does not select": lambda r: pod_of(r, "worker")[
        "topologySpreadConstraints"
    ][1]["labelSelector"]["matchLabels"].update(app="x"),
    "HorizontalPodAutoscaler/voicefleet-worker scales nothing": lambda r: the(
        r, "HorizontalPodAutoscaler/voicefleet-worker"
    )["spec"]["scaleTargetRef"].update(name="workers"),
    "Ingress/voicefleet-tokens leads nowhere": lambda r: r.remove(
        the(r, "Service/voicefleet-tokens")
    ),
    "worker: killed after 600 s, drains for 560 s": lambda r: config_of(r, "worker").update(
        DRAIN_TIMEOUT_S="560"
    ),
    "worker: killed after 30 s, drains for 540 s": lambda r: pod_of(r, "worker").pop(
        "terminationGracePeriodSeconds"
    ),
    "worker: the cluster autoscaler does not wait": lambda r: pod_of(r, "worker").update(
        terminationGracePeriodSeconds=3600
    ),
    "worker: takes calls while its preStop hook runs": lambda r: container_of(r, "worker").update(
        lifecycle={"preStop": {"sleep": {"seconds": 5}}}
    ),
    "tokens: killed after 30 s, stops within 20 s": lambda r: config_of(r, "tokens").update(
        SHUTDOWN_DELAY_S="20"
    ),
    "Deployment/voicefleet-worker: read-only": lambda r: container_of(r, "worker")[
        "securityContext"
    ].pop("readOnlyRootFilesystem"),
    "Deployment/voicefleet-tokens: not root": lambda r: pod_of(r, "tokens")[
        "securityContext"
    ].update(runAsUser=0),
    "Deployment/voicefleet-worker: own network": lambda r: pod_of(r, "worker").update(
        hostNetwork=True
    ),
    "Deployment/voicefleet-worker: no limit of CPU": lambda r: container_of(r, "worker")[
        "resources"
    ]["limits"].update(cpu="2"),
    "worker: no image voicefleet-worker": lambda r: container_of(r, "worker").update(
        image="registry.example.com/workers:0.1.0"
    ),
    "tokens: tag latest": lambda r: container_of(r, "tokens").update(
        image="voicefleet-tokens:latest"
    ),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_what_is_broken_is_found(fault: str) -> None:
    broken = overlay("prod")
    BREAKS[fault](broken)
    faults = all_faults(broken, "voicefleet")
    changed = [one for one in broken if one not in overlay("prod")]
    faults += [found for one in changed for found in schema_faults(one, VERSIONS[-1])]
    assert [found for found in faults if fault in found]


def test_services_start_with_their_settings(
    resources: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are such that the programs take them, in production, too."""
    secrets = {
        "REDIS_URL": "rediss://redis.example.com:6379/0",
        "LIVEKIT_API_KEY": "voicefleet",
        "LIVEKIT_API_SECRET": "Kq8tW2nV5xZ1bM7cL4pR9sD3fG6hJ0aE",
        "ADMIN_API_KEY": "uY7tR4eW1qP9oI6zX3cV8bN5mK2jH0gF",
        "OPENAI_API_KEY": "key",
    }
    kinds = {"tokens": TokenserverSettings, "worker": WorkerSettings}
    for name, kind in kinds.items():
        with monkeypatch.context() as patch:
            values = environment(resources, container_of(resources, name))
            for variable, value in values.items():
                if (text := value or secrets.get(variable)) is not None:
                    patch.setenv(variable, text)
            settings = kind()
        assert settings.max_sessions == int(values["MAX_SESSIONS"] or 0)


def test_both_services_agree(resources: list[Resource]) -> None:
    """What both read is the same for both (docs/settings.md)."""
    tokens, worker = (config_of(resources, name) for name in ("tokens", "worker"))
    both = TokenserverSettings.model_fields.keys() & WorkerSettings.model_fields.keys()
    shared = {name.upper() for name in both} & (tokens.keys() | worker.keys()) - {"LOG_LEVEL"}
    assert shared >= {"LIVEKIT_URL", "MAX_SESSIONS", "WORKER_CAPACITY"}
    assert {name: tokens.get(name) for name in shared} == {
        name: worker.get(name) for name in shared
    }


def test_slots_are_what_all_workers_take(resources: list[Resource]) -> None:
    tokens = config_of(resources, "tokens")
    workers = int(tokens["SCALE_MAX_WORKERS"])
    assert int(tokens["MAX_SESSIONS"]) == workers * int(tokens["WORKER_CAPACITY"])


def test_a_worker_takes_what_its_pod_holds() -> None:
    """By the formula of docs/capacity.md."""
    prod = overlay("prod")
    requests = container_of(prod, "worker")["resources"]["requests"]
    assert requests["memory"] == "1Gi"
    pod = Machine(cores=int(requests["cpu"]), memory_mb=1024)
    load = Load(sessions=1, minutes_per_call=5, talking=0.5)
    assert int(config_of(prod, "worker")["WORKER_CAPACITY"]) == sessions_on(
        pod, SHARED.worker, load
    )


def test_the_policies_let_out_what_the_services_ask() -> None:
    """Ports of livekit.yaml for production: one range for media, TCP, and the signalling."""
    text = (ROOT / "livekit.yaml").read_text(encoding="utf-8")
    (low, high), config = re.findall(r'\("(\d+)-(\d+)"\)', text)[0], yaml.safe_load(text)
    rules = the(overlay("prod"), "NetworkPolicy/voicefleet-worker")["spec"]["egress"]
    ports = [port for rule in rules for port in rule["ports"]]
    assert {"port": int(low), "endPort": int(high), "protocol": "UDP"} in ports
    tcp = {port["port"] for port in ports if port["protocol"] == "TCP"}
    assert {config["port"], config["rtc"]["tcp_port"], 6379, 443} == tcp
    (deny,) = [
        one for one in of_kind(overlay("prod"), "NetworkPolicy") if not one["spec"]["podSelector"]
    ]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not deny["spec"].keys() & {"ingress", "egress"}


def test_the_livekit_of_dev_is_configured_as_ours() -> None:
    ours = yaml.safe_load((ROOT / "livekit.yaml").read_text(encoding="utf-8"))
    dev = yaml.safe_load(
        (KUBERNETES / "overlays" / "dev" / "livekit-config.yaml").read_text(encoding="utf-8")
    )
    assert {key: dev[key] for key in ("room", "agents")} == {
        key: ours[key] for key in ("room", "agents")
    }
    assert dev["webhook"].pop("urls") != ours["webhook"].pop("urls")
    assert dev["webhook"] == ours["webhook"]
    (container,) = [c for _, _, c in deployments(overlay("dev")) if c["name"] == "livekit"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    rtc = dev["rtc"]
    assert ports == {"http": dev["port"], "rtc-tcp": rtc["tcp_port"], "rtc-udp": rtc["udp_port"]}
    mounted = the(overlay("dev"), "ConfigMap/voicefleet-livekit")["metadata"]["name"]
    assert data_of(overlay("dev"), mounted).keys() == {"livekit.yaml"}
