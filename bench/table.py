"""What a part of the benchmark found: a table for people, the same figures for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from devstack.terminal import Terminal

Value = float | str | None
NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure shall be: at most so much, or at least."""

    limit: float
    is_minimum: bool = False

    def verdict(self, figure: float) -> str:
        """Say whether a figure is as it shall be."""
        is_met = figure >= self.limit if self.is_minimum else figure <= self.limit
        return "met" if is_met else "missed"

    def __str__(self) -> str:
        return f"{'>=' if self.is_minimum else '<='} {_shown(self.limit)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: what was measured, the figures by column, and the aim of the first of them.

    `judged` is the figure that the aim is about, where it is not the first.
    """

    name: str
    figures: Mapping[str, Value]
    aim: Aim | None = None
    judged: str | None = None

    @property
    def verdict(self) -> str | None:
        """Whether the aim is met; None without an aim."""
        if self.aim is None:
            return None
        figure = self.figures[self.judged or next(iter(self.figures))]
        return self.aim.verdict(figure) if isinstance(figure, float | int) else None

    def as_json(self) -> dict[str, object]:
        """Return the line for programs."""
        aim = None
        if self.aim is not None:
            aim = {
                "figure": self.judged or next(iter(self.figures)),
                "limit": self.aim.limit,
                "is_minimum": self.aim.is_minimum,
            }
        return {
            "name": self.name,
            "figures": dict(self.figures),
            "aim": aim,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The answer to one question, with what is to be known to read it."""

    part: str
    question: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    #: The headline of the first column.
    subject: str = field(default="")

    def as_json(self) -> dict[str, object]:
        """Return the table for programs."""
        return {
            "part": self.part,
            "question": self.question,
            "notes": list(self.notes),
            "rows": [row.as_json() for row in self.rows],
        }

    def show(self, terminal: Terminal) -> None:
        """Write the table: numbers to the right, the aim and the verdict last."""
        terminal.line()
        terminal.title(f"{self.part}: {self.question}")
        terminal.table(self._cells())
        for note in self.notes:
            terminal.note(note)

    def _cells(self) -> list[list[str]]:
        names = list(dict.fromkeys(name for row in self.rows for name in row.figures))
        lines = [[self.subject, *names, "aim", ""]]
        for row in self.rows:
            figures = [_shown(row.figures.get(name)) for name in names]
            aim = NOTHING if row.aim is None else str(row.aim)
            lines.append([row.name, *figures, aim, row.verdict or ""])
        for place in range(1, len(names) + 1):
            width = max(len(line[place]) for line in lines)
            for line in lines:
                line[place] = line[place].rjust(width)
        return lines


def _shown(value: Value) -> str:
    """Write a figure: whole numbers as such, others with as many digits as tell something."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 20 else f"{value:,.2f}"
