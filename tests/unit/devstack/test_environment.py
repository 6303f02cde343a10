"""The stamp that says what .venv was made from, and the file that must parse everywhere."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from devstack.install import environment
from devstack.install.environment import LockName, is_current, stamp_of
from devstack.settings import REPO


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two locks and an environment without a stamp."""
    for name in ("run", "dev"):
        (tmp_path / f"{name}.lock").write_text(name)
    (tmp_path / "python").touch()
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(environment, "lock_file", lambda name: tmp_path / f"{name}.lock")
    monkeypatch.setattr(environment, "venv_python", lambda: tmp_path / "python")
    return tmp_path


def stamp(checkout: Path, name: LockName) -> None:
    (checkout / "stamp").write_text(stamp_of(name, checkout / f"{name}.lock") + "\n")


def test_without_a_stamp_nothing_is_current(checkout: Path) -> None:
    assert checkout.exists()
    assert not is_current("run")
    assert not is_current("dev")


def test_the_dev_lock_serves_both(checkout: Path) -> None:
    stamp(checkout, "dev")
    assert is_current("run")
    assert is_current("dev")


def test_the_run_lock_serves_running(checkout: Path) -> None:
    stamp(checkout, "run")
    assert is_current("run")
    assert not is_current("dev")


def test_a_changed_lock_is_noticed(checkout: Path) -> None:
    stamp(checkout, "dev")
    (checkout / "dev.lock").write_text("other")
    assert not is_current("dev")


def test_another_python_is_noticed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp(checkout, "dev")
    version = type("Version", (), {"major": 3, "minor": 99})
    monkeypatch.setattr(sys, "version_info", version)
    assert not is_current("dev")


def test_a_missing_interpreter_is_noticed(checkout: Path) -> None:
    stamp(checkout, "dev")
    (checkout / "python").unlink()
    assert not is_current("dev")


def test_bootstrap_parses_on_old_pythons() -> None:
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.arg)
    for name in ("bootstrap.py", "__init__.py"):
        source = (REPO / "devstack" / name).read_text(encoding="ascii")
        tree = ast.parse(source, feature_version=(3, 4))
        assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
