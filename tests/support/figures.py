"""A page of figures, as Prometheus would read it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

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
