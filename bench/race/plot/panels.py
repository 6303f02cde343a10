"""Reads what `python -m bench.race --json` wrote: a panel for each measure that is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from bench.race.plot.measures import LABELS, MEASURES, SERVED, UNDRAWN, Measure
from bench.table import Value

HOW_TO = "`make bench-full` or `python -m bench.race --json FILE` writes them"


class NoFigures(Exception):
    """Raised where there is nothing to draw. The message says what to do about it."""


class _Row(BaseModel):
    name: str
    figures: dict[str, Value]


class _Table(BaseModel):
    part: str
    rows: list[_Row]


_TABLES = TypeAdapter(list[_Table])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What was found for a side, in the unit of its measure; None: there is no such figure."""

    value: float | None
    lowest: float | None
    highest: float | None
    #: As a share of the plain worker's.
    of_plain: float | None
    #: How many had an agent in the worst round, where that is counted.
    fewest_served: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A measure with the bars of the sides that raced."""

    measure: Measure
    bars: Mapping[str, Bar]

    def is_short(self, side: str) -> bool:
        """Say whether some of the side's users had no agent in a round."""
        bar = self.bars.get(side)
        return (
            bar is not None
            and bar.fewest_served is not None
            and bar.fewest_served < self.measure.users
        )


def read_panels(files: Sequence[Path]) -> tuple[list[Panel], list[str]]:
    """Return the panels in their order, and notes on what was left out.

    Where files have the same measure, the last one counts. Raises NoFigures.
    """
    found: dict[str, tuple[Panel, Path]] = {}
    notes: list[str] = []
    for file in files:
        for table in _read(file):
            panels = _panels(table)
            if not panels and table.part not in UNDRAWN:
                notes.append(f"{file}: skipped {table.part}, which is no part of the race")
            for panel in panels:
                key = panel.measure.key
                if key in found:
                    notes.append(f"{panel.measure.title}: that of {file}, not {found[key][1]}")
                found[key] = panel, file
    if not found:
        names = ", ".join(map(str, files))
        raise NoFigures("\n".join([*notes, f"no figures of the race in {names}: {HOW_TO}"]))
    return [found[one.key][0] for one in MEASURES if one.key in found], notes


def _read(file: Path) -> list[_Table]:
    try:
        return _TABLES.validate_json(file.read_bytes())
    except FileNotFoundError:
        raise NoFigures(f"{file}: no such file; {HOW_TO}") from None
    except OSError as error:
        raise NoFigures(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise NoFigures(f"{file}: holds no tables of a benchmark; {HOW_TO}") from error


def _panels(table: _Table) -> list[Panel]:
    rows = {row.name: row.figures for row in table.rows}
    panels = []
    for measure in MEASURES:
        if measure.part != table.part:
            continue
        bars = {
            side: _bar(measure, side, rows)
            for side in LABELS
            if measure.column in rows.get(measure.row_of(side), {})
        }
        if bars:
            panels.append(Panel(measure=measure, bars=bars))
    return panels


def _bar(measure: Measure, side: str, rows: Mapping[str, Mapping[str, Value]]) -> Bar:
    figures = rows[measure.row_of(side)]
    served = _number(rows.get(f"{SERVED}: {side}", {}).get("median")) if measure.users else None
    return Bar(
        value=_number(figures[measure.column]),
        lowest=_number(figures.get("lowest")),
        highest=_number(figures.get("highest")),
        of_plain=_number(figures.get(measure.ratio)),
        fewest_served=None if served is None else int(served),
    )


def _number(value: Value) -> float | None:
    return None if value is None or isinstance(value, str) else value
