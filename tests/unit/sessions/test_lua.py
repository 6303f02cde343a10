"""The scripts keep their promises: a header each, and every error code has a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sessions
from sessions.errors import BY_REPLY, SessionError, StoreUnavailable
from sessions.scripts import VERBS

FOLDER = Path(sessions.__file__).parent / "lua"
SCRIPTS = sorted(FOLDER.rglob("*.lua"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_opens_with_its_contract(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith(f"-- {path.stem}")
    header = "\n".join(line for line in lines[:10] if line.startswith("--"))
    assert "KEYS" in header
    if path.parent == FOLDER:
        assert "Returns" in header
        assert "Errors:" in header


def test_every_verb_has_its_script() -> None:
    assert {path.stem for path in FOLDER.glob("*.lua")} == set(VERBS)


def test_every_error_code_is_an_exception_and_the_other_way_round() -> None:
    text = "\n".join(path.read_text() for path in SCRIPTS)
    assert set(re.findall(r'error_reply\("([A-Z]+)', text)) == set(BY_REPLY)
    assert {*BY_REPLY.values(), StoreUnavailable} == set(SessionError.__subclasses__())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_searches_or_trusts_the_clients_clock(path: Path) -> None:
    assert not re.search(r'redis\.call\("(KEYS|SCAN|SMEMBERS)"', path.read_text())
