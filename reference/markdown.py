"""Pieces of Markdown, as GitHub shows it. Texts are escaped where they become cells or words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def words(text: str) -> str:
    """Return a text on one line, in which only what stands between backticks is special."""
    parts = " ".join(text.split()).split("`")
    return "`".join(
        part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`"


def heading(level: int, text: str) -> str:
    """Return a heading."""
    return f"{'#' * level} {text}"


def anchor(text: str) -> str:
    """Return the name under which GitHub links a heading."""
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")


def link(text: str, target: str) -> str:
    """Return a link."""
    return f"[{text}]({target})"


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]


def fenced(text: str, language: str) -> list[str]:
    """Return the lines of a block of code."""
    return [f"```{language}", *text.splitlines(), "```"]


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines that are shown on demand."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def paragraphs(*blocks: Sequence[str]) -> str:
    """Return blocks of lines with an empty one between; empty blocks are left out."""
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
