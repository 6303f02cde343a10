"""Secrets of a checkout."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devstack.services.keys import Keys


def test_they_are_made_once_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "run" / "secrets.json"
    keys = Keys.load(path)
    assert Keys.load(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(keys.livekit_api_secret) >= 32  # livekit-server complains about shorter ones


def test_loose_permissions_are_tightened(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    keys = Keys.load(path)
    path.chmod(0o644)
    assert Keys.load(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"admin_key": "x"}', '{"admin_key": 1}'])
def test_a_damaged_file_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    assert Keys.load(path) == Keys.load(path)


def test_each_checkout_has_its_own(tmp_path: Path) -> None:
    assert Keys.load(tmp_path / "a.json") != Keys.load(tmp_path / "b.json")
