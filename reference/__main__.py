"""`python -m reference`: write the parts of the docs that are made of the code, or compare them."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from reference.api_index import calls_table
from reference.api_page import api_page
from reference.files import HOW, NoSuchPart, Page, differing
from reference.settings_groups import Unsorted
from reference.settings_pages import example_lines, localvoice_table, settings_tables

ROOT = Path(__file__).resolve().parent.parent
#: How many lines of a difference are shown.
_SHOWN_LINES = 20

PAGES = (
    Page("docs/api-reference.md", api_page),
    Page("docs/api.md", calls_table, "calls"),
    Page("docs/settings.md", settings_tables, "settings"),
    Page("docs/localvoice.md", localvoice_table, "settings"),
    Page(".env.example", example_lines, "settings"),
)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Return 0 when everything is as the code says, or was written; 1 otherwise."""
    parser = argparse.ArgumentParser(prog=HOW, description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    arguments = parser.parse_args(argv)
    try:
        wrong = differing(PAGES, root)
    except (NoSuchPart, Unsorted) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.check:
        sys.stderr.writelines(_told(wrong, root))
        return 1 if wrong else 0
    for path, text in wrong.items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(root)}\n")
    return 0


def _told(wrong: dict[Path, str], root: Path) -> Iterator[str]:
    for path, text in wrong.items():
        name = path.relative_to(root)
        yield f"{name} is not what the code says: run `.venv/bin/{HOW}`, and read what it wrote.\n"
        found = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = list(
            difflib.unified_diff(
                found.splitlines(), text.splitlines(), f"{name}", f"{name}, of the code", n=0
            )
        )
        yield from (f"  {line.rstrip()}\n" for line in lines[:_SHOWN_LINES])
        if len(lines) > _SHOWN_LINES:
            yield f"  … and {len(lines) - _SHOWN_LINES} lines more\n"


if __name__ == "__main__":
    sys.exit(main())
