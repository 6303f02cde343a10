"""Figures of several sides as lines of a table: medians, and how they compare."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.race.sides import OPENRTC, OURS, PLAIN
from bench.table import Aim, Row, Value

OF_PLAIN, OF_OPENRTC = "of plain", "of openrtc"
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What was found of one kind, for each side: `name` says what, and its unit."""

    name: str
    found: Mapping[str, Sequence[float]]
    #: What ours shall be at most, as a share of the plain worker's.
    of_plain: Mapping[str, float] = field(default_factory=dict)
    #: What ours shall be at most, as it is.
    at_most: Mapping[str, float] = field(default_factory=dict)
    #: Whether ours shall be less than OpenRTC's.
    beats_openrtc: bool = False

    def rows(self) -> list[Row]:
        """Return a line for each side; a second one for ours where it has a second aim."""
        middles = {side: middle(values) for side, values in self.found.items()}
        rows = []
        for side, values in self.found.items():
            figures = _figures(values, middles[side], middles)
            name, aims = f"{self.name}: {side}", list(self._aims(side))
            if not aims:
                rows.append(Row(name=name, figures=figures))
            for aim, column in aims:
                rows.append(Row(name=name, figures=figures, aim=aim, judged=column))
                name = f"{self.name}: {side}, too"
        return rows

    def _aims(self, side: str) -> Iterator[tuple[Aim, str]]:
        if side in self.of_plain:
            yield Aim(limit=self.of_plain[side]), OF_PLAIN
        if side in self.at_most:
            yield Aim(limit=self.at_most[side]), "median"
        if self.beats_openrtc and side in OURS and OPENRTC in self.found:
            yield Aim(limit=1.0), OF_OPENRTC


def _figures(
    values: Sequence[float], own: float | None, middles: Mapping[str, float | None]
) -> dict[str, Value]:
    return {
        "median": _short(own),
        "lowest": _short(min(values, default=None)),
        "highest": _short(max(values, default=None)),
        OF_PLAIN: ratio(own, middles.get(PLAIN)),
        OF_OPENRTC: ratio(own, middles.get(OPENRTC)),
    }


def middle(values: Sequence[float]) -> float | None:
    """Return the median; None of nothing."""
    return statistics.median(values) if values else None


def ratio(figure: float | None, base: float | None) -> float | None:
    """Return a figure as a share of another; None where there is none."""
    return None if figure is None or not base else round(figure / base, 3)


def percentile(values: Sequence[float], percent: int, of: int) -> float | None:
    """Return a percentile of so many; those that have no value count as larger than all others.

    None where it is one of those.
    """
    place = max(1, math.ceil(percent * of / 100)) - 1
    return sorted(values)[place] if place < len(values) else None


def each(names: Sequence[str], limit: float) -> dict[str, float]:
    """Return the same aim for those of ours that race."""
    return {name: limit for name in names if name in OURS}


def _short(value: float | None) -> float | None:
    """Leave out digits that say nothing."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")
