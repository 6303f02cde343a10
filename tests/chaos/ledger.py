"""What the stories found, a row for each, and beside ours what a plain worker makes of the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from bench.table import Aim, Row, Table
from devstack.terminal import Terminal
from tests.chaos.fates import Fate, Heard

OURS, PLAIN = "ours", "plain"
#: Whatever happens: an agent that is heard, or a user who is told.
_NONE_LOST = Aim(limit=0)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of the sessions that a fault was done to."""

    fault: str
    kind: str = OURS
    heard: Sequence[Heard]
    #: Rooms that had two agents for longer than it takes to put one out.
    duplicates: int = 0

    @property
    def after_s(self) -> list[float]:
        """After how many seconds each was heard that was."""
        return sorted(one.after_s for one in self.heard if one.after_s is not None)

    def count(self, fate: Fate) -> int:
        """Return how many sessions had this fate."""
        return sum(one.fate is fate for one in self.heard)

    def row(self) -> Row:
        """Return it as a line of the table."""
        lost = self.count(Fate.LOST)
        return Row(
            name=f"{self.fault}: {self.kind}",
            figures={
                "sessions": len(self.heard),
                "recovered": self.count(Fate.RECOVERED),
                "told": self.count(Fate.TOLD),
                "lost": lost,
                "p50 s": _percentile(self.after_s, 50),
                "p95 s": _percentile(self.after_s, 95),
                "two agents": self.duplicates,
            },
            aim=_NONE_LOST if self.kind == OURS else None,
            judged="lost",
        )


@dataclass
class Ledger:
    """All entries of a test run."""

    entries: list[Entry] = field(default_factory=list)

    def write(self, entry: Entry) -> None:
        """Add what a story found."""
        self.entries.append(entry)

    def table(self) -> Table:
        """Return all of it, what is ours before what is plain, fault by fault."""
        order = {name: place for place, name in enumerate(dict.fromkeys(_faults(self.entries)))}
        rows = sorted(self.entries, key=lambda one: (order[one.fault], one.kind != OURS))
        return Table(
            part="chaos",
            question="what becomes of calls to which the worst happens",
            subject="fault, worker",
            rows=[entry.row() for entry in rows],
            notes=(
                "s: from the fault to the first sound of another agent, of those that had one",
                "told: no agent was heard, and the user knows that there is none",
                "lost: no agent was heard, and the user was not told anything",
                "two agents: rooms that had more than one for longer than 5 s",
            ),
        )

    def show(self, stream: TextIO) -> None:
        """Write the table for people."""
        self.table().show(Terminal({}, stream))

    def save(self, path: Path) -> None:
        """Write it for programs."""
        path.write_text(json.dumps(self.table().as_json(), indent=2) + "\n")


def _faults(entries: Iterable[Entry]) -> list[str]:
    """Return the faults in the order of our stories; those of plain ones only come last."""
    return sorted((one.fault for one in entries), key=str)


def _percentile(after_s: Sequence[float], percent: int) -> float | None:
    """Return the value that so many of 100 do not exceed."""
    if not after_s:
        return None
    return round(after_s[max(0, -(-percent * len(after_s) // 100) - 1)], 2)
