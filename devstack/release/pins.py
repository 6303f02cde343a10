"""What locks pin: the Python packages of an image, the npm packages that the pages are built of."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from devstack.settings import REPO

IMAGES: Mapping[str, str] = {
    "tokens": "Dockerfile.tokens",
    "tokens-traced": "Dockerfile.tokens",
    "worker": "Dockerfile.worker",
    "localvoice": "Dockerfile.localvoice",
}
"""Which lock goes into the image of which Dockerfile."""
ROOT = "voicefleet"
"""By this name a lock calls what everything in it is for."""
NPM_LOCK = REPO / "web" / "package-lock.json"
_ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\\n"
    r"(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)(?P<comment>(?: +#.*\n)*)",
    re.MULTILINE,
)
_NEEDED_BY = re.compile(r"^ +# +(?:via )?([a-z0-9][\w.-]*)(?: \(pyproject\.toml.*\))?$", re.M)
_PYTHON_OF_IMAGE = re.compile(r"^FROM python:(\d+\.\d+)", re.MULTILINE)
_NPM_NEEDS = ("dependencies", "optionalDependencies", "peerDependencies")
_LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A package in one version. `hashes` are hexadecimal, one for each file that may be taken.

    `needed_by` has names, that of the whole, too. `licence` is told by npm's lock only, `marker` by
    Python's only; empty: everywhere.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...] = ()
    is_npm: bool = False
    marker: str = ""
    licence: str = ""


def lock_path(name: str) -> Path:
    """Return the lock of an image."""
    return REPO / "requirements" / f"{name}.lock"


def python_pins(lock: Path) -> list[Pin]:
    """Return everything that a lock pins, for whichever machine."""
    return [
        Pin(
            name=canonicalize_name(entry["name"]),
            version=entry["version"],
            hashes=tuple(re.findall(r"sha256:([0-9a-f]{64})", entry["hashes"])),
            needed_by=tuple(name for name in _NEEDED_BY.findall(entry["comment"]) if name != "via"),
            marker=entry["marker"] or "",
        )
        for entry in _ENTRY.finditer(lock.read_text(encoding="utf-8"))
    ]


def image_pins(name: str) -> list[Pin]:
    """Return what an image has of what its lock pins: Linux, and the Dockerfile's Python."""
    dockerfile = (REPO / IMAGES[name]).read_text(encoding="utf-8")
    (python,) = set(_PYTHON_OF_IMAGE.findall(dockerfile))
    return list(_for_python(python_pins(lock_path(name)), python))


def linux_pins(name: str) -> list[Pin]:
    """Return what a lock pins for any Python that Voicefleet runs on, on Linux."""
    every = python_pins(lock_path(name))
    pythons = ("3.11", "3.12", "3.13", "3.14")
    kept = {pin for python in pythons for pin in _for_python(every, python)}
    return [pin for pin in every if pin in kept]


def _for_python(pins: Iterable[Pin], python: str) -> Iterable[Pin]:
    versions = {"python_version": python, "python_full_version": f"{python}.0"}
    environment = {**_LINUX, **versions}
    return (pin for pin in pins if not pin.marker or Marker(pin.marker).evaluate(environment))


def npm_pins(lock: Path = NPM_LOCK) -> list[Pin]:
    """Return what the pages are built of: no tools, and nothing that only development needs."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    parents: dict[str, list[str]] = {}
    for path, found in packages.items():
        for name in {name for kind in _NPM_NEEDS for name in found.get(kind, ())}:
            if child := _npm_child(path, name, packages):
                parents.setdefault(child, []).append(_npm_name(path) or ROOT)
    return [
        Pin(
            name=_npm_name(path),
            version=found["version"],
            hashes=(base64.b64decode(found["integrity"].removeprefix("sha512-")).hex(),),
            needed_by=tuple(parents.get(path, ())),
            is_npm=True,
            licence=found.get("license", "").strip("()"),
        )
        for path, found in packages.items()
        if path and not found.get("dev")
    ]


def _npm_name(path: str) -> str:
    return path.rpartition("node_modules/")[2]


def _npm_child(path: str, name: str, packages: Container[str]) -> str | None:
    """Return where Node.js finds `name` from `path`: beside it, or further up."""
    while True:
        candidate = f"{path}/node_modules/{name}".lstrip("/")
        if candidate in packages:
            return candidate
        if not path:
            return None
        path = path.rpartition("node_modules/")[0].rstrip("/")
