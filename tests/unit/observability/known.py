"""Which series there are: those of the table of metrics, what is recorded, and Prometheus' own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.utils import floatToGoString

from telemetry import metrics
from telemetry.metric import Kind, Metric
from tests.unit.observability.promql import Query, Selector, read_query

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"

#: Labels, and all that each may say; nothing where that is not known.
Labels = Mapping[str, tuple[str, ...]]

TABLE = [one for one in vars(metrics).values() if isinstance(one, Metric)]
#: Prometheus gives them to whatever it scrapes.
OF_TARGETS: Labels = {"job": (), "instance": ()}


def load(path: Path) -> dict[str, Any]:
    """Read a YAML file."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


GROUPS: list[dict[str, Any]] = [
    group
    for name in ("recording", "alerts")
    for group in load(PROMETHEUS / "rules" / f"{name}.yml")["groups"]
]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
RECORDINGS = {rule["record"]: rule for rule in RULES if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
SEVERITIES = ("critical", "warning")


def _exported() -> Iterator[tuple[str, Labels]]:
    for metric in TABLE:
        labels = {**metric.labels, **OF_TARGETS}
        if metric.kind is Kind.HISTOGRAM:
            edges = (*map(floatToGoString, metric.edges), "+Inf")
            yield f"{metric.name}_bucket", {**labels, "le": edges}
            yield f"{metric.name}_count", labels
            yield f"{metric.name}_sum", labels
        else:
            yield metric.name, labels


def _known() -> dict[str, Labels]:
    known = dict(_exported())
    known["up"] = OF_TARGETS
    for name, rule in RECORDINGS.items():
        query = read_query(rule["expr"])
        known[name] = {label: _values(known, query, label) for label in query.keeps or ()}
    of_alerts = {label for rule in ALERTS.values() for label in _kept(read_query(rule["expr"]))}
    known["ALERTS"] = {
        **dict.fromkeys(sorted(of_alerts), ()),
        **OF_TARGETS,
        "alertname": tuple(ALERTS),
        "alertstate": ("pending", "firing"),
        "severity": SEVERITIES,
    }
    return known


def _values(known: Mapping[str, Labels], query: Query, label: str) -> tuple[str, ...]:
    return next(known[one.name][label] for one in query.selectors if label in known[one.name])


def _kept(query: Query) -> frozenset[str]:
    return query.keeps or frozenset()


#: By name.
KNOWN = _known()


def faults_of(selector: Selector) -> list[str]:
    """Say what a selector names that does not exist."""
    labels = KNOWN.get(selector.name)
    if labels is None:
        return [f"no metric: {selector.name}"]
    faults = []
    for matcher in selector.matchers:
        values = labels.get(matcher.label)
        if values is None:
            faults.append(f"{selector.name} has no label {matcher.label}")
        elif values and (strange := matcher.values - set(values)):
            faults.append(f"{selector.name}: {matcher.label} is never {sorted(strange)}")
    return faults


def faults_in(expr: str) -> list[str]:
    """Say what an expression names that does not exist; each grouping has to be a label, too."""
    query = read_query(expr)
    faults = [fault for selector in query.selectors for fault in faults_of(selector)]
    if not faults:
        there = {label for selector in query.selectors for label in KNOWN[selector.name]}
        faults += [f"nothing has a label {label}" for label in sorted(query.groupings - there)]
    return faults
