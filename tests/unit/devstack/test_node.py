"""Which Node.js is used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from devstack.errors import ToolMissing
from devstack.install import node
from devstack.install.node import AT_LEAST, find_node
from devstack.install.versions import parse_version, show_version
from devstack.install.web import WEB
from devstack.settings import REPO


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with programs; the directory a program is in is its version."""
    monkeypatch.setattr(node, "program_version", lambda path: parse_version(path.parent.name))
    return tmp_path


def put(directory: Path, *names: str) -> Path:
    directory.mkdir()
    for name in names:
        (directory / name).touch(mode=0o755)
    return directory


def test_one_on_path_is_used_with_its_npm(machine: Path) -> None:
    here = put(machine / "22.12.0", "node", "npm")
    found = find_node({"PATH": str(here)})
    assert found.program == here / "node"
    assert found.npm == (str(here / "npm"),)


@pytest.mark.parametrize(
    ("version", "names"), [("20.20.2", ("node", "npm")), ("24.1.0", ("node",))]
)
def test_one_too_old_or_without_npm_is_passed_over(
    machine: Path, version: str, names: tuple[str, ...]
) -> None:
    found = find_node({"PATH": str(put(machine / version, *names))})
    assert node.WHEEL in found.program.parts
    assert found.npm[0] == str(found.program)
    assert Path(found.npm[1]).is_file()


def test_without_any_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "WHEEL", "no_such_package")
    with pytest.raises(ToolMissing, match=r"no Node\.js 22\.12 or later .* install one, or go by"):
        find_node({"PATH": "/nowhere"})


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_every_task_brings_one_along(lock: str) -> None:
    pins = (REPO / "requirements" / f"{lock}.lock").read_text()
    assert re.search(rf"^{node.WHEEL.replace('_', '-')}-binaries==24\.", pins, re.M)


def test_its_programs_find_it_first(machine: Path) -> None:
    here = put(machine / "24.1.0", "node", "npm")
    found = find_node({"PATH": str(here)})
    assert found.environment({"PATH": "/usr/bin"})["PATH"] == f"{here}:/usr/bin"
    assert found.environment({})["PATH"] == str(here)


def test_npm_is_told_the_same_version() -> None:
    package = json.loads((WEB / "package.json").read_text())
    assert package["engines"] == {"node": f">={show_version(AT_LEAST)}"}
