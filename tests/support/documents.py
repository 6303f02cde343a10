"""The pages of docs/, as tests read them: tables, headings, links."""

from __future__ import annotations

import re
from pathlib import Path

from devstack.settings import REPO
from reference.markdown import anchor

DOCS = REPO / "docs"

_LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

Rows = list[list[str]]


def prose(text: str) -> str:
    """Return a page without its blocks of code."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next of any rank. Raises ValueError."""
    _, found, rest = prose(text).partition(f"\n{heading}\n")
    if not found:
        raise ValueError(f"there is no {heading!r}")
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Rows:
    """Return the rows of all tables in a text, cell by cell, without headings."""
    lines = prose(text).splitlines()
    found = []
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|---") and "|---" not in following[:4]:
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of a page can be linked."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def links(page: Path) -> list[tuple[str, str]]:
    """Return the links of a page, to files of ours and headings in them; either may be empty."""
    return _LINK.findall(prose(page.read_text(encoding="utf-8")))


def broken_links(page: Path) -> list[str]:
    """Return those of these links that lead nowhere."""
    broken = []
    for target, name in links(page):
        linked = (page.parent / target) if target else page
        if not linked.exists() or (name and name not in anchors(linked)):
            broken.append(f"{target}#{name}")
    return broken
