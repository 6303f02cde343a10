"""The version stands in one place; nothing says another one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

from devstack.release.build import VERSION_FILE, release_version
from devstack.release.contents import git
from telemetry.version import VERSION
from tokenserver.app import OPERATIONS
from tokenserver.contract.openapi import document

ROOT = Path(__file__).parents[3]
#: Locks tell versions of others; a test or a benchmark may invent one; the changelog has them all.
LEFT_OUT = re.compile(r"\.lock$|^web/package-lock\.json$|^tests/|^bench/|^CHANGELOG\.md$")
STATED = re.compile(
    r"voicefleet[\w/]*['\"]?(?:[-:@ ]|==)v?(\d+\.\d+\.\d+)"
    r"|^\W*(?:ARG )?(?:app_?version|__version__|version)['\"]?\s*[:=]\s*['\"]?v?(\d+\.\d+\.\d+)\b",
    re.IGNORECASE | re.MULTILINE,
)


def stated(text: str) -> set[str]:
    """Return the versions of Voicefleet that a text states."""
    return {version for found in STATED.findall(text) for version in found if version}


def test_what_states_a_version_is_recognized() -> None:
    for text in (
        'version = "9.9.9"',
        "appVersion: 9.9.9",
        "ARG VERSION=9.9.9",
        '  "version": "9.9.9",',
        '__version__ = "9.9.9"',
        "image: registry/voicefleet/tokens:9.9.9",
        "pip install voicefleet==9.9.9",
        "voicefleet-9.9.9-py3-none-any.whl",
    ):
        assert stated(f"first line\n{text}\n") == {"9.9.9"}, text
    assert (
        stated("text/plain; version=0.0.4\nimage: redis:7.4.1\nlivekit-server v1.13.5\n") == set()
    )


def test_no_other_file_states_another_version() -> None:
    others = {}
    for name in git("ls-files").splitlines():
        if LEFT_OUT.search(name) or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        if found := stated(text) - {VERSION}:
            others[name] = found
    assert others == {}


def test_the_package_takes_its_version_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert ROOT / project["tool"]["hatch"]["version"]["path"] == VERSION_FILE
    assert ProjectMetadata(str(ROOT), PluginManager()).version == VERSION
    assert release_version() == VERSION


def test_the_api_tells_it() -> None:
    info = document(OPERATIONS)["info"]
    assert isinstance(info, dict)
    assert info["version"] == VERSION


def test_every_package_of_ours_is_shipped_but_the_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert set(project["tool"]["hatch"]["build"]["packages"]) == packages - {"devstack"}
