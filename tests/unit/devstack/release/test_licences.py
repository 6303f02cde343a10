"""No licence is unknown, and none that binds is without a note."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import replace
from importlib import metadata

import pytest

from devstack.release.licence_notes import NOTES
from devstack.release.licences import (
    PAGE,
    LicenceUnknown,
    check_notes,
    licence_of,
    render,
)
from devstack.release.pins import IMAGES, Pin, linux_pins, lock_path
from devstack.settings import REPO

PIN = Pin(name="packaging", version="1", hashes=())
GPL = "piper-tts"
COPYLEFT_LIBRARIES = frozenset(
    {"libx264", "libx265", "libavcodec", "libavformat", "libmp3lame", "libgnutls", "libnettle"}
    | {"libhogweed", "libgmp", "libunistring", "libgfortran", "libquadmath", "libgomp"}
    | {"libfribidi", "libraqm", "libespeak-ng", "libmpg123", "libsndfile", "libglib-2"}
)
"""Libraries under a GPL or LGPL that wheels have been seen to bring."""


def test_the_page_is_of_the_locks() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make licences`"


def test_every_package_in_an_image_is_on_the_page_in_its_versions() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = {row.split(" | ")[0][2:]: row for row in text.splitlines() if row.startswith("| ")}
    for image in IMAGES:
        for pin in linux_pins(image):
            assert pin.version in rows[pin.name]
            assert image in rows[pin.name]


def test_a_licence_is_as_spdx_writes_it() -> None:
    assert licence_of(PIN) == "Apache-2.0 OR BSD-2-Clause"
    assert licence_of(replace(PIN, name="flatbuffers")) == "Apache-2.0"
    assert licence_of(replace(PIN, name="markdown-it-py")) == "MIT"
    assert licence_of(replace(PIN, is_npm=True, licence="MIT AND 0BSD")) == "MIT AND 0BSD"


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        (replace(PIN, name="no-such-package"), "not installed"),
        (replace(PIN, is_npm=True, licence=""), "says '' of its licence"),
        (replace(PIN, is_npm=True, licence="SEE LICENSE IN FILE"), "'SEE LICENSE IN FILE'"),
    ],
)
def test_a_licence_that_is_not_told_is_asked_for(pin: Pin, words: str) -> None:
    with pytest.raises(LicenceUnknown, match=words):
        licence_of(pin)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "LGPL-2.1-or-later", "MPL-2.0 AND MIT", "LicenseRef-Own"]
)
def test_a_licence_that_binds_needs_a_note(licence: str) -> None:
    known = dict.fromkeys(NOTES, "MIT")
    check_notes({**known, "other": "BSD-3-Clause"})
    with pytest.raises(LicenceUnknown, match="other is under"):
        check_notes({**known, "other": licence})


def test_a_note_of_a_package_that_is_gone_goes_too() -> None:
    known = dict.fromkeys(NOTES, "MIT")
    del known[GPL]
    with pytest.raises(LicenceUnknown, match="piper-tts is in no lock any more"):
        check_notes(known)


def test_a_library_that_binds_inside_a_wheel_is_in_its_note() -> None:
    unsaid = {}
    for name in {pin.name for image in IMAGES for pin in linux_pins(image)}:
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            continue
        inside = {file.name.partition(".so")[0].partition("-")[0] for file in files}
        if (found := inside & COPYLEFT_LIBRARIES) and name not in NOTES:
            unsaid[name] = found
    assert unsaid == {}


def test_the_gpl_is_in_an_extra_of_its_own_and_in_one_image() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        name
        for name, packages in project["optional-dependencies"].items()
        if any(package.startswith(GPL) for package in packages)
    }
    assert extras == {"local"}
    assert not any(package.startswith(GPL) for package in project["dependencies"])
    images = {
        name for name in IMAGES if f"\n{GPL}==" in lock_path(name).read_text(encoding="utf-8")
    }
    assert images == {"localvoice"}
    for name in set(IMAGES.values()) - {IMAGES["localvoice"]}:
        assert "COPY localvoice" not in (REPO / name).read_text(encoding="utf-8")


def test_only_localvoice_imports_what_is_under_the_gpl() -> None:
    packages = {path.parent for path in REPO.glob("*/py.typed")} | {REPO / "bench"}
    importing = {
        path.relative_to(REPO).parts[0]
        for package in packages
        for path in package.rglob("*.py")
        if _imports(path.read_text(encoding="utf-8"), "piper")
    }
    assert importing == {"localvoice"}


def _imports(text: str, package: str) -> bool:
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == package for name in names)
