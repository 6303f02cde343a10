"""docs/troubleshooting.md: what it quotes is said by the code, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documents import DOCS, broken_links

ROOT = Path(__file__).parents[3]
PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PACKAGES = ("devstack", "rooms", "sessions", "supervisor", "tokenserver", "worker")
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
)
STRINGS = (ROOT / "web" / "src" / "strings.ts").read_text(encoding="utf-8")
#: Of the machine, not of a service.
TOOLS = {"LIVEKIT_SERVER_BIN"}


@pytest.mark.parametrize("line", sorted(set(re.findall(r'`"([^"`]+)"`', PAGE))))
def test_a_line_of_the_log_is_one(line: str) -> None:
    assert f'"{line}"' in CODE


@pytest.mark.parametrize("title", sorted(set(re.findall(r"page says \*([^*]+)\*", PAGE))))
def test_a_title_of_the_page_is_one(title: str) -> None:
    assert f'title: "{title}"' in STRINGS


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", PAGE))))
def test_a_setting_is_one(name: str) -> None:
    assert name in TOOLS or f"| `{name}` |" in SETTINGS


def test_the_reasons_of_a_worker_are_those_it_gives() -> None:
    reasons = re.findall(r"worker's `/readyz`: `([^`]+)`", PAGE)
    assert len(reasons) >= 2
    assert [reason for reason in reasons if f'"{reason}":' not in CODE] == []


def test_the_codes_of_refusals_are_codes_of_the_api() -> None:
    table = PAGE.split("## A start is refused")[1].split("\n## ")[0]
    codes = [code for row in re.findall(r"^\| (`.+?`) \|", table, re.M) for code in row.split(", ")]
    assert len(codes) >= 6
    assert [code for code in codes if f'"{code[1:-1]}"' not in CODE] == []


def test_what_is_linked_exists() -> None:
    assert broken_links(DOCS / "troubleshooting.md") == []
