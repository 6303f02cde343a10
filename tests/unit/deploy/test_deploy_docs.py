"""docs/deploy: what the pages name exists, and each says how to go back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documents import broken_links
from tests.unit.deploy.manifests import ROOT

PAGES = [
    ROOT / "docs" / "deploy" / f"{name}.md"
    for name in ("kubernetes", "livekit", "railway", "systemd")
]
#: For all platforms together.
ROLLOUTS = ROOT / "docs" / "deploy" / "rollouts.md"
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
#: Of our pages, but not our settings.
OTHERS = {"LIVEKIT_KEYS"}


@pytest.mark.parametrize("page", [*PAGES, ROLLOUTS], ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert broken_links(page) == []
    for path in re.findall(r"(?<![\w/])(?:deploy|docs|tests)/[\w./*-]*[\w*]", text):
        assert list(ROOT.glob(path)), path
    for setting in set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text)) - OTHERS:
        assert f"| `{setting}` |" in SETTINGS, setting


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_how_to_go_back_and_what_was_not_tried(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^## Rollback$", text, re.MULTILINE)
    assert re.search(r"\*\*Not (tried|checked)|\*\*No cluster", text)


def test_there_is_a_page_for_each_platform() -> None:
    assert [page for page in PAGES if not (ROOT / "deploy" / page.stem).is_dir()] == []
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"docs/deploy/{page.name}" not in changes] == []
