"""CONTRIBUTING.md and the pages for readers: what they name exists, and is as they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devstack.cli import COMMANDS
from tests.support.documents import broken_links, links
from tests.unit.architecture.test_shape import MAX_FILE_LINES, MAX_FUNCTION_LINES

ROOT = Path(__file__).parents[3]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = (
    *("CONTRIBUTING.md", "SECURITY.md"),
    *(f"docs/{name}.md" for name in ("architecture", "frontends", "patterns", "quickstart")),
)


def test_what_a_change_touches_exists() -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:toml|md|py))`", CONTRIBUTING)
    assert len(named) > 60
    missing = [name for name in named if not (ROOT / name).exists()]
    # Each service has one.
    assert missing == ["settings.py"] * missing.count("settings.py")


def test_commands_are_targets_of_make() -> None:
    named = re.findall(r"make ([a-z0-9-]+)", CONTRIBUTING)
    assert set(named) >= {"setup", "lint", "types", "unit", "integration", "e2e", "chaos", "test"}
    assert [name for name in named if name not in COMMANDS] == []


def test_the_limits_are_those_of_the_test() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (line_length,) = re.findall(r"^line-length = (\d+)$", project, re.M)
    assert (
        f"Files of {MAX_FILE_LINES} lines at most, functions of {MAX_FUNCTION_LINES}, "
        f"lines of {line_length} " in CONTRIBUTING
    )


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_exists(name: str) -> None:
    page = ROOT / name
    assert any(target for target, _ in links(page))
    assert broken_links(page) == []
