"""Files, and parts of files, that are made of the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HOW = "python -m reference"


class NoSuchPart(Exception):
    """Raised when a file has not exactly one place for a part that is written into it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the checkout, of which a part is written, or all of it."""

    path: str
    render: Callable[[], str]
    #: Name of the part, between two marks; "" for the whole file.
    part: str = ""

    def apply(self, text: str) -> str:
        """Return the file's text as it has to be. Raises `NoSuchPart`."""
        made = self.render()
        if not self.part:
            return made
        begin, end = self.marks()
        lines = text.splitlines()
        if lines.count(begin) != 1 or lines.count(end) != 1:
            raise NoSuchPart(f"{self.path} needs these lines, once each:\n{begin}\n{end}")
        first, last = lines.index(begin), lines.index(end)
        # Markdown wants an empty line around its blocks; elsewhere it does no harm.
        kept = [*lines[: first + 1], "", *made.strip("\n").splitlines(), "", *lines[last:]]
        return "\n".join(kept) + "\n"

    def marks(self) -> tuple[str, str]:
        """Return the lines before and after the part, as comments of the file's kind."""
        is_markdown = self.path.endswith(".md")
        begin, end = ("<!-- ", " -->") if is_markdown else ("# ", "")
        return (
            f"{begin}{self.part}: written by `{HOW}`{end}",
            f"{begin}end of {self.part}{end}",
        )


def differing(pages: tuple[Page, ...], root: Path) -> dict[Path, str]:
    """Return the files that are not as they have to be, each with the text that it should have."""
    wanted: dict[Path, str] = {}
    for page in pages:
        path = root / page.path
        wanted[path] = page.apply(wanted.get(path, _text(path)))
    return {path: text for path, text in wanted.items() if text != _text(path)}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
