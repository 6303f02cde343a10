"""What is to be told keeps its order, and up to where all is settled is known at any time."""

from __future__ import annotations

import pytest

from sessions.ids import SessionId
from sessions.journal import Change, Extent
from sessions.states import State
from supervisor.pending import Mark, Pending, dropped_between

ADA, EVE = SessionId("a" * 32), SessionId("e" * 32)


def change(number: int, session_id: SessionId = ADA) -> Change:
    return Change(cursor=f"{number}-0", session_id=session_id, revision=number, status=State.ACTIVE)


def taken(*sessions: SessionId | None) -> Pending:
    """Return what is pending after changes of these sessions; None is one that is not told."""
    pending = Pending(Mark("0-0", 0))
    for number, session_id in enumerate(sessions, start=1):
        pending.take(change(number, session_id or ADA), is_told=session_id is not None)
    return pending


def test_up_to_where_all_is_settled() -> None:
    pending = taken(None, ADA, EVE, None)
    assert (pending.settled, pending.read) == (Mark("1-0", 1), Mark("4-0", 4))
    ada, eve = pending.next_due(0.0), None
    assert ada is not None
    ada.is_under_way = True
    eve = pending.next_due(0.0)
    assert eve is not None
    pending.settle(eve)
    assert (pending.settled, len(pending), pending.oldest_ms) == (Mark("1-0", 1), 1, 2)
    pending.settle(ada)
    assert (pending.settled, len(pending), pending.oldest_ms) == (Mark("4-0", 4), 0, None)


def test_of_a_session_only_the_oldest_is_due() -> None:
    pending = taken(ADA, ADA, EVE)
    first = pending.next_due(0.0)
    assert first is not None
    assert first.change.revision == 1
    first.due = 5.0
    other = pending.next_due(0.0)
    assert other is not None
    assert other.change.session_id == EVE
    pending.settle(other)
    assert pending.next_due(4.9) is None
    assert pending.next_due(5.0) is first
    pending.settle(first)
    second = pending.next_due(0.0)
    assert second is not None
    assert second.change.revision == 2


@pytest.mark.parametrize(
    ("extent", "count"),
    [
        (Extent(first=None, dropped=0, added=0), 0),
        (Extent(first="5-0", dropped=0, added=9), 0),
        (Extent(first="7-0", dropped=3, added=9), 0),
        # Between the place and the first that is left, all are there.
        (Extent(first="8-0", dropped=7, added=9), 0),
        (Extent(first="8-1", dropped=12, added=20), 5),
        # Redis 6 does not say how many.
        (Extent(first="8-0", dropped=None, added=None), 1),
        # The stream was made anew.
        (Extent(first="8-0", dropped=0, added=1), 0),
    ],
)
def test_what_was_dropped_behind_a_mark(extent: Extent, count: int) -> None:
    assert dropped_between(Mark("7-0", 7), extent) == count


@pytest.mark.parametrize("text", [None, "", "5", "5-0", "5-0 x", "x-0 1", "5-0 1 2", "- 1"])
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert Mark.from_text(text) is None


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark("1764000000000-12", 40_000)
    assert Mark.from_text(mark.to_text()) == mark
