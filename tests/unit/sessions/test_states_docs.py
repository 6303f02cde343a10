"""The drawing in docs/states.md shows the table in sessions/states.py, edge by edge."""

from __future__ import annotations

import re
from pathlib import Path

from sessions.states import LIVE, TERMINAL, TRANSITIONS, State

PAGE = Path(__file__).parents[3] / "docs" / "states.md"
EDGE = re.compile(r"^    (\w+) --> (\w+): ([a-z, ]+)$", re.M)


def test_the_drawing_is_the_table() -> None:
    drawn = {(start, end): set(actors.split(", ")) for start, end, actors in EDGE.findall(_page())}
    table = {
        (str(start), str(end)): {str(actor) for actor in actors}
        for start, edges in TRANSITIONS.items()
        for end, actors in edges.items()
    }
    assert drawn == table


def test_the_drawing_begins_and_ends_where_sessions_do() -> None:
    begins = set(re.findall(r"^    \[\*\] --> (\w+)", _page(), re.M))
    ends = set(re.findall(r"^    (\w+) --> \[\*\]", _page(), re.M))
    assert begins == {State.QUEUED, State.STARTING} < LIVE
    assert ends == TERMINAL


def test_every_state_is_explained() -> None:
    rows = "\n".join(re.findall(r"^\| (`.+?) \|", _page(), re.M))
    assert set(re.findall(r"`(\w+)`", rows)) == set(State)


def _page() -> str:
    return PAGE.read_text(encoding="utf-8")
