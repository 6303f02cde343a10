"""docs/metrics.md repeats the table of metrics."""

from __future__ import annotations

import re
from pathlib import Path

from telemetry import metrics
from telemetry.metric import Metric

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(voicefleet_\w+)` \| (\w+) \| (.*) \| (.+) \|$", re.MULTILINE)


def test_the_page_is_the_table() -> None:
    groups = (
        *(metrics.API, metrics.NEIGHBOURS, metrics.SUPERVISOR, metrics.FLEET),
        *(metrics.WORKER_STATE, metrics.WORKER_EVENTS, metrics.OF_CALLS),
        metrics.TRACES,
    )
    assert ROW.findall(PAGE) == [_row(metric) for group in groups for metric in group]


def _row(metric: Metric) -> tuple[str, str, str, str]:
    labels = ", ".join(f"`{name}`" for name in metric.labels)
    return metric.name, metric.kind.value, labels, metric.meaning
