"""Changes that are to be told, in order for each session, and up to where all are settled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Self

from sessions.ids import SessionId
from sessions.journal import Change, Extent

#: As many as the store keeps; what waits longer there would be dropped.
_MOST_ENTRIES = 4_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream of changes."""

    cursor: str
    #: How many changes there were up to here, as Redis counts.
    count: int

    @classmethod
    def from_text(cls, text: str | None) -> Self | None:
        """Read what `to_text` wrote; None for anything else."""
        cursor, _, count = (text or "").partition(" ")
        is_cursor = all(part.isdigit() for part in cursor.split("-", 1)) and "-" in cursor
        return cls(cursor, int(count)) if is_cursor and count.isdigit() else None

    def to_text(self) -> str:
        """Return it as it is kept."""
        return f"{self.cursor} {self.count}"


def dropped_between(mark: Mark, extent: Extent) -> int:
    """Return how many changes after a mark the store has not any more; 1 where nobody counts."""
    if extent.first is None or _order(extent.first) <= _order(mark.cursor):
        return 0
    if extent.dropped is None:
        return int(mark.count > 0)
    return max(0, extent.dropped - mark.count)


def _order(cursor: str) -> tuple[int, int]:
    at_ms, _, number = cursor.partition("-")
    return int(at_ms), int(number)


@dataclass(slots=True, eq=False)
class Entry:
    """One change that is to be told."""

    change: Change
    #: The place just before it.
    before: Mark
    failures: int = 0
    #: When it is tried next, by the clock of who tries.
    due: float = 0.0
    is_under_way: bool = False


class Pending:
    """What is not settled yet."""

    def __init__(self, mark: Mark) -> None:
        #: Up to where changes were taken in.
        self.read = mark
        #: In the order of the stream.
        self._entries: dict[str, Entry] = {}
        self._by_session: dict[SessionId, deque[Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= _MOST_ENTRIES

    @property
    def settled(self) -> Mark:
        """Up to where everything is settled."""
        first = next(iter(self._entries.values()), None)
        return self.read if first is None else first.before

    @property
    def oldest_ms(self) -> int | None:
        """When the first change was that is not settled."""
        first = next(iter(self._entries.values()), None)
        return None if first is None else first.change.at_ms

    def take(self, change: Change, *, is_told: bool) -> None:
        """Take in the next change of the stream."""
        if is_told:
            entry = Entry(change, self.read)
            self._entries[change.cursor] = entry
            self._by_session.setdefault(change.session_id, deque()).append(entry)
        self.read = Mark(change.cursor, self.read.count + 1)

    def skip(self, count: int) -> None:
        """Note that so many changes will never come."""
        self.read = Mark(self.read.cursor, self.read.count + count)

    def next_due(self, now: float) -> Entry | None:
        """Return the first that may be tried now: of a session, only its oldest."""
        for waiting in self._by_session.values():
            entry = waiting[0]
            if entry.due <= now and not entry.is_under_way:
                return entry
        return None

    def settle(self, entry: Entry) -> None:
        """Have done with it."""
        del self._entries[entry.change.cursor]
        waiting = self._by_session[entry.change.session_id]
        waiting.remove(entry)
        if not waiting:
            del self._by_session[entry.change.session_id]
