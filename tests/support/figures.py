"""A page of figures, as Prometheus would read it; and who takes figures, and that is all."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from telemetry.metric import Metric

#: By name and labels, in the order of their names.
Page = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_page(text: str) -> Page:
    """Return what a page says; when counting began is left out."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


class NoFigures:
    """Takes them for nobody."""

    def count(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        """See `Figures`."""

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """See `Figures`."""
