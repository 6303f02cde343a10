"""Under which licences the runtime's packages are, as they say themselves: docs/licences.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata

from devstack.errors import DevstackError
from devstack.release.licence_notes import BESIDE, INTRODUCTION, NOTES
from devstack.release.pins import IMAGES, Pin, linux_pins, npm_pins
from devstack.settings import REPO
from devstack.terminal import Terminal

PAGE = REPO / "docs" / "licences.md"
COPYLEFT = re.compile(r"GPL|MPL|EPL|CDDL|SSPL|CC-BY-SA|LicenseRef")
"""What one has to know of before one passes the package on, or uses it elsewhere."""
SAID_OTHERWISE: Mapping[str, str] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
}
"""What packages write in place of an SPDX expression."""
READ: Mapping[str, str] = {
    # "BSD" alone says too little; these are of the files that the packages carry.
    "colorama": "BSD-3-Clause",
    "nest-asyncio": "BSD-2-Clause",
    # Both files are there, and its README says "dual-licensed".
    "uvloop": "MIT OR Apache-2.0",
    # Only for Python 3.11.0 to 3.11.2: mostly not installed where this is written.
    "async-timeout": "Apache-2.0",
}
"""Licences that somebody has read, where the metadata says too little."""
_EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


class LicenceUnknown(DevstackError):
    """Raised when a package tells no licence, or one that nobody has written a note about."""


def licence_of(pin: Pin) -> str:
    """Return the SPDX expression of a package's licence. Raises `LicenceUnknown`."""
    told = pin.licence if pin.is_npm else READ.get(pin.name) or _told(pin.name)
    told = SAID_OTHERWISE.get(told, told)
    if not _EXPRESSION.fullmatch(told):
        raise LicenceUnknown(
            f"{pin.name} {pin.version} says {told[:40]!r} of its licence: read it, and name it in "
            "READ or SAID_OTHERWISE (devstack/release/licences.py)."
        )
    return told


def _told(name: str) -> str:
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        raise LicenceUnknown(
            f"{name} is in a lock, but not installed: run `make setup`, or name its licence in "
            "READ (devstack/release/licences.py)."
        ) from None
    classified = [
        words.rpartition(" :: ")[2]
        for words in found.get_all("Classifier") or ()
        if words.startswith("License :: OSI Approved ::")
    ]
    said = (found[field] for field in ("License-Expression", "License") if field in found)
    return next((words for words in said if words), " ".join(classified))


def write_page(terminal: Terminal) -> int:
    """Write docs/licences.md anew."""
    PAGE.write_text(render(), encoding="utf-8")
    terminal.step("licences", "ok", note=str(PAGE.relative_to(REPO)))
    return 0


def check_page(terminal: Terminal) -> int:
    """Say whether docs/licences.md is of the locks; return 0 when it is. Writes nothing."""
    is_current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == render()
    terminal.step("licences", "ok" if is_current else "failed", note=str(PAGE.relative_to(REPO)))
    if not is_current:
        terminal.error("docs/licences.md does not fit the locks: run `make licences`, read it.")
    return 0 if is_current else 1


def render() -> str:
    """Return the page. Raises `LicenceUnknown`."""
    used: dict[str, dict[Pin, list[str]]] = {}
    for image in IMAGES:
        for pin in linux_pins(image):
            used.setdefault(pin.name, {}).setdefault(pin, []).append(image)
    python = sorted(
        (name, _versions(pins), licence_of(next(iter(pins))), _images(pins.values()))
        for name, pins in used.items()
    )
    pages = sorted((pin.name, pin.version, licence_of(pin), "pages") for pin in npm_pins())
    rows = [*python, *pages]
    check_notes({name: licence for name, _, licence, _ in rows})
    noted = [
        (name, licence, where, NOTES[name]) for name, _, licence, where in rows if name in NOTES
    ]
    return "\n".join(
        [
            INTRODUCTION,
            *_table(("Package", "Licence", "In", "What that means"), noted),
            f"\n{BESIDE}\n## Python\n",
            *_table(("Package", "Version", "Licence", "In"), python),
            "\n## npm, built into the pages\n",
            *_table(("Package", "Version", "Licence", "In"), pages),
            "",
        ]
    )


def check_notes(licences: Mapping[str, str]) -> None:
    """See that every licence which binds has a note, and that no note is of a package gone.

    Raises `LicenceUnknown`.
    """
    binding = {name for name, licence in licences.items() if COPYLEFT.search(licence)}
    for name in sorted(binding - NOTES.keys()):
        raise LicenceUnknown(
            f"{name} is under {licences[name]}: find out what that means here, and write it into "
            "NOTES (devstack/release/licence_notes.py)."
        )
    for name in sorted(NOTES.keys() - licences.keys()):
        raise LicenceUnknown(f"{name} is in no lock any more: take its note away.")


def _versions(pins: Iterable[Pin]) -> str:
    return ", ".join(sorted({pin.version for pin in pins}))


def _images(images: Iterable[list[str]]) -> str:
    found = {image for some in images for image in some}
    return ", ".join(image for image in IMAGES if image in found)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], "|---" * len(head) + "|", *lines[1:]]
