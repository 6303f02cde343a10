"""The autoscalers follow the number that the token servers export, and Prometheus gets it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from telemetry.metrics import WORKERS_DESIRED
from tests.unit.deploy.checks import VERSIONS, schema_faults
from tests.unit.deploy.manifests import (
    KUBERNETES,
    ROOT,
    WITH_KEDA,
    Resource,
    data_of,
    of_kind,
    overlay,
    the,
)
from tests.unit.observability.known import PROMETHEUS, faults_in

ADAPTER = KUBERNETES / "components" / "hpa" / "prometheus-adapter.yaml"
SCALING = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture
def keda() -> list[Resource]:
    """Production with KEDA."""
    return overlay(WITH_KEDA)


def hpa() -> dict[str, Any]:
    """What the HorizontalPodAutoscaler of production says."""
    spec: dict[str, Any] = the(overlay("prod"), "HorizontalPodAutoscaler/voicefleet-worker")["spec"]
    return spec


def documented(kind: str) -> dict[str, Any]:
    """What docs/scaling.md shows of a kind."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", SCALING, re.MULTILINE | re.DOTALL)
    (found,) = [one for one in map(yaml.safe_load, blocks) if one.get("kind") == kind]
    spec: dict[str, Any] = found["spec"]
    return spec


def adapter_rule() -> dict[str, Any]:
    """The only rule for prometheus-adapter."""
    (rule,) = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))["rules"]["external"]
    found: dict[str, Any] = rule
    return found


def test_the_adapter_hands_out_the_number() -> None:
    rule, (metric,) = adapter_rule(), hpa()["metrics"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"] == WORKERS_DESIRED.name
    assert rule["metricsQuery"] == f"max({WORKERS_DESIRED.name})"
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": "1"}


def test_keda_asks_for_the_number(keda: list[Resource]) -> None:
    spec = the(keda, "ScaledObject/voicefleet-worker")["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["query"] == f"max({WORKERS_DESIRED.name})"
    assert trigger["metadata"]["threshold"] == "1"
    assert trigger["metricType"] == "AverageValue"
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert spec["fallback"]["replicas"] == spec["maxReplicaCount"]


def test_queries_name_what_exists(keda: list[Resource]) -> None:
    """Of the whole table of metrics and its labels, as the rules of Prometheus are checked."""
    (trigger,) = the(keda, "ScaledObject/voicefleet-worker")["spec"]["triggers"]
    assert faults_in(trigger["metadata"]["query"]) == []
    assert faults_in(adapter_rule()["metricsQuery"]) == []
    assert faults_in(trigger["metadata"]["query"].replace("desired", "wanted")) != []


def test_there_is_one_autoscaler(keda: list[Resource]) -> None:
    kinds = ("HorizontalPodAutoscaler", "ScaledObject")
    assert [one["kind"] for one in of_kind(overlay("prod"), *kinds)] == [kinds[0]]
    assert [one["kind"] for one in of_kind(keda, *kinds)] == [kinds[1]]
    assert of_kind(overlay("dev"), *kinds) == []


def test_nobody_else_sets_the_replicas() -> None:
    """Or each `kubectl apply` would take workers away."""
    assert "replicas" not in the(overlay("prod"), "Deployment/voicefleet-worker")["spec"]


def test_bounds_are_those_of_the_number(keda: list[Resource]) -> None:
    prod = overlay("prod")
    tokens = data_of(prod, the(prod, "ConfigMap/voicefleet-tokens")["metadata"]["name"])
    bounds = [int(tokens[f"SCALE_{which}_WORKERS"]) for which in ("MIN", "MAX")]
    assert [hpa()["minReplicas"], hpa()["maxReplicas"]] == bounds
    spec = the(keda, "ScaledObject/voicefleet-worker")["spec"]
    assert [spec["minReplicaCount"], spec["maxReplicaCount"]] == bounds


def test_what_the_documentation_shows_is_the_same(keda: list[Resource]) -> None:
    shown, used = documented("HorizontalPodAutoscaler"), hpa()
    assert {key: shown[key] for key in ("metrics", "behavior", "scaleTargetRef")} == {
        key: used[key] for key in ("metrics", "behavior", "scaleTargetRef")
    }
    shown, spec = documented("ScaledObject"), the(keda, "ScaledObject/voicefleet-worker")["spec"]
    assert shown["advanced"] == spec["advanced"]
    addresses = [one["triggers"][0]["metadata"].pop("serverAddress") for one in (shown, spec)]
    assert len(set(addresses)) == 2, "the one of the documentation is a short one"
    assert shown["triggers"] == spec["triggers"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kedas_behaviour_is_one_that_kubernetes_takes(keda: list[Resource], version: str) -> None:
    config = the(keda, "ScaledObject/voicefleet-worker")["spec"]["advanced"]
    made = the(overlay("prod"), "HorizontalPodAutoscaler/voicefleet-worker")
    made["spec"]["behavior"] = config["horizontalPodAutoscalerConfig"]["behavior"]
    assert schema_faults(made, version) == []
    made["spec"]["behavior"]["scaleDown"]["window"] = 1
    assert schema_faults(made, version) != []


def test_what_is_not_ours_is_refused(keda: list[Resource]) -> None:
    scaled = the(keda, "ScaledObject/voicefleet-worker")
    scaled["spec"]["triggers"][0]["metadata"]["threshold"] = 1
    assert schema_faults(scaled, VERSIONS[-1]) == ["1 is not of type 'string'"]
    monitor = the(keda, "PodMonitor/voicefleet-worker")
    monitor["spec"]["endpoints"] = monitor["spec"].pop("podMetricsEndpoints")
    assert len(schema_faults(monitor, VERSIONS[-1])) == 2


def test_prometheus_scrapes_as_the_rules_expect() -> None:
    """Jobs whose names begin with `voicefleet`, every 15 s (docs/metrics.md)."""
    rules = (PROMETHEUS / "rules" / "alerts.yml").read_text(encoding="utf-8")
    assert 'job=~"voicefleet' in rules
    prod = overlay("prod")
    for kind, target in (("ServiceMonitor", "Service"), ("PodMonitor", "Deployment")):
        (monitor,) = of_kind(prod, kind)
        (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "15s")
        scraped = the(prod, f"{target}/{monitor['metadata']['name']}")
        job = scraped["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        assert job.startswith("voicefleet")
        assert (kind == "ServiceMonitor") == ("authorization" in endpoint), "only one needs a key"
