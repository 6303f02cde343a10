"""The figures of one process, as Prometheus scrapes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from telemetry.metric import Kind, Metric
from telemetry.metrics import (
    LIVEKIT_DURATION,
    LIVEKIT_FAILURES,
    REDIS_DURATION,
    REDIS_FAILURES,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meter:
    """Keeps some metrics of the table. Each application has its own, so that two can live together.

    Every method raises KeyError for a metric that is not among them, TypeError for one of another
    kind, ValueError for labels that it does not have.
    """

    def __init__(self, *groups: Iterable[Metric]) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        for metric in (metric for group in groups for metric in group):
            self._made[metric.name] = made = _made(metric, self.registry)
            # What has never happened is 0, not missing.
            if metric.labels and all(metric.labels.values()):
                for values in product(*metric.labels.values()):
                    made.labels(*values)

    def count(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        """Count more of a counter."""
        made = self._of(metric, labels)
        if not isinstance(made, Counter):
            raise TypeError(f"{metric.name} is no counter")
        made.inc(amount)

    def set(self, metric: Metric, value: float, /, **labels: str) -> None:
        """Say how much of a gauge there is now."""
        made = self._of(metric, labels)
        if not isinstance(made, Gauge):
            raise TypeError(f"{metric.name} is no gauge")
        made.set(value)

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """Note one value of a histogram."""
        made = self._of(metric, labels)
        if not isinstance(made, Histogram):
            raise TypeError(f"{metric.name} is no histogram")
        made.observe(value)

    def note_step(self, took_s: float, is_done: bool) -> None:
        """Note a step of the store."""
        self.observe(REDIS_DURATION, took_s)
        self.count(REDIS_FAILURES, not is_done)

    def note_call(self, name: str, took_s: float, is_answered: bool) -> None:
        """Note a call of LiveKit."""
        self.observe(LIVEKIT_DURATION, took_s, method=name)
        self.count(LIVEKIT_FAILURES, not is_answered, method=name)

    def text(self, *snapshots: Iterable[Reading]) -> bytes:
        """Return everything in Prometheus' text format, with what was read elsewhere."""
        parts = [generate_latest(self.registry)]
        for snapshot in snapshots:
            registry = CollectorRegistry()
            registry.register(_Snapshot(snapshot))
            parts.append(generate_latest(registry))
        return b"".join(parts)

    def _of(self, metric: Metric, labels: Mapping[str, str]) -> Counter | Gauge | Histogram:
        made = self._made[metric.name]
        if not labels:
            return made
        labelled: Counter | Gauge | Histogram = made.labels(**labels)
        return labelled


#: A metric, its labels, and what somebody else counts: Redis, or the kernel.
Reading = tuple[Metric, Mapping[str, str], float]


class _Snapshot(Collector):
    """Shows readings as metrics."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = list(readings)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield each metric once, with all its readings."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for metric, labels, value in self._readings:
            family = families.get(metric.name)
            if family is None:
                is_counter = metric.kind is Kind.COUNTER
                make = CounterMetricFamily if is_counter else GaugeMetricFamily
                family = make(metric.name, metric.meaning, labels=list(metric.labels))
                families[metric.name] = family
            family.add_metric([labels[name] for name in metric.labels], value)
        yield from families.values()


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    labels = tuple(metric.labels)
    if metric.kind is Kind.HISTOGRAM:
        return Histogram(
            metric.name, metric.meaning, labels, buckets=metric.edges, registry=registry
        )
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.meaning, labels, registry=registry)
    return Gauge(metric.name, metric.meaning, labels, registry=registry)
