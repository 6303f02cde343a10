"""What a metric is: a row of the table in metrics.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a metric does."""

    COUNTER = "counter"  # it only grows
    GAUGE = "gauge"  # it goes up and down
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str
    kind: Kind
    meaning: str
    #: Each label, and all that it may say; nothing where that is not known before.
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Upper edges of a histogram.
    edges: tuple[float, ...] = ()


def counter(name: str, meaning: str, **labels: tuple[str, ...]) -> Metric:
    """Return a metric that counts."""
    return Metric(name=f"voicefleet_{name}", kind=Kind.COUNTER, meaning=meaning, labels=labels)


def gauge(name: str, meaning: str, **labels: tuple[str, ...]) -> Metric:
    """Return a metric that says how much there is now."""
    return Metric(name=f"voicefleet_{name}", kind=Kind.GAUGE, meaning=meaning, labels=labels)


def histogram(
    name: str, meaning: str, edges: tuple[float, ...], **labels: tuple[str, ...]
) -> Metric:
    """Return a metric that says how many were how long."""
    return Metric(
        name=f"voicefleet_{name}",
        kind=Kind.HISTOGRAM,
        meaning=meaning,
        labels=labels,
        edges=edges,
    )
