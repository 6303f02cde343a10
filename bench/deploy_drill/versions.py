"""Versions of Voicefleet to be rolled out: copies of its packages, each run from its own folder."""

from __future__ import annotations

import re
import secrets
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from devstack.settings import REPO

#: The one place where the version stands.
_VERSION_FILE = Path("telemetry", "version.py")
_STATED = re.compile(r'^VERSION = "([^"]+)"$', re.MULTILINE)
_FORGOTTEN = "import a_package_that_no_lock_names\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Code in a folder, and what it is told otherwise than the version before."""

    name: str
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Whether it can serve.
    is_good: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The one that serves, the one that is to take its place, and two that cannot."""

    old: Version
    new: Version
    #: Imports what is not there: its processes end as they start.
    broken: Version
    #: Has a wrong key to LiveKit: its processes run, and are never ready.
    unready: Version


def make_versions(folder: Path) -> Versions:
    """Copy the code of this checkout into the folder, as other versions."""
    old = _stated((REPO / _VERSION_FILE).read_text(encoding="utf-8"))
    wrong = {"LIVEKIT_API_SECRET": secrets.token_hex(24)}
    return Versions(
        old=Version(name=old, folder=REPO),
        new=_copy(folder, f"{old}+new"),
        broken=replace(_copy(folder, f"{old}+broken", more=_FORGOTTEN), is_good=False),
        unready=replace(_copy(folder, f"{old}+unready"), settings=wrong, is_good=False),
    )


def _copy(folder: Path, name: str, *, more: str = "") -> Version:
    """Copy what is shipped; `more` is code that stands below the version's name."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    home = folder / name
    for package in project["tool"]["hatch"]["build"]["packages"]:
        shutil.copytree(REPO / package, home / package)
    file = home / _VERSION_FILE
    text = file.read_text(encoding="utf-8")
    named = text.replace(f'"{_stated(text)}"', f'"{name}"')
    file.write_text(named + more, encoding="utf-8")
    return Version(name=name, folder=home)


def _stated(text: str) -> str:
    """Return the version that a file states. Raises ValueError where it states none, or several."""
    (version,) = _STATED.findall(text)
    return str(version)
