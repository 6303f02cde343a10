"""What may be in a release, and what has to be: nothing less, nothing else, and no secret."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from email import message_from_bytes
from pathlib import Path

from packaging.metadata import InvalidMetadata, Metadata

from devstack.dotenv import parse_dotenv
from devstack.errors import DevstackError
from devstack.files import read_json
from devstack.settings import REPO, run_dir

OF_WHEEL = frozenset({"METADATA", "RECORD", "WHEEL", "licenses/LICENSE"})
OF_SDIST = frozenset(
    {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
)
MAX_TOLD = 5
"""How many files a message names."""
MIN_SECRET_CHARS = 12
"""Shorter values of .env are ports and names, not keys."""
_KEYS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bsk-[A-Za-z0-9_-]{32,}|\bAKIA[0-9A-Z]{16}\b"
    rb"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
)
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|_URL$")


class BadRelease(DevstackError):
    """Raised when what was built is not to be released; the message has one problem a line."""


def check_wheel(wheel: Path, version: str, needles: Mapping[str, str]) -> None:
    """Look into a wheel. Raises `BadRelease`."""
    with zipfile.ZipFile(wheel) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    info = f"voicefleet-{version}.dist-info/"
    expected = {*shipped_files(), *(info + name for name in OF_WHEEL)}
    problems = [*_differences(files, expected), *_leaks(files, needles)]
    _raise(wheel, [*problems, *metadata_problems(files.get(f"{info}METADATA", b""), version)])


def check_sdist(sdist: Path, version: str, needles: Mapping[str, str]) -> None:
    """Look into an sdist. Raises `BadRelease`."""
    root, files = f"voicefleet-{version}/", {}
    with tarfile.open(sdist) as packed:
        for member in packed.getmembers():
            if member.isfile() and (content := packed.extractfile(member)):
                files[member.name.removeprefix(root)] = content.read()
    problems = [*_differences(files, {*shipped_files(), *OF_SDIST}), *_leaks(files, needles)]
    _raise(sdist, [*problems, *metadata_problems(files.get("PKG-INFO", b""), version)])


def shipped_files() -> frozenset[str]:
    """Return the files of the packages in pyproject.toml that are in git: a wheel has just these.

    Raises `BadRelease` where git cannot tell.
    """
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["hatch"]["build"]["packages"]
    return frozenset(git("ls-files", "--", *packages).splitlines())


def is_committed() -> bool:
    """Say whether the checkout is as its last commit."""
    return not git("status", "--porcelain", "--untracked-files=no")


def needles_of(env: Mapping[str, str], repo: Path = REPO) -> dict[str, str]:
    """Return texts of this machine that no release may have, and what each is: paths, keys."""
    dotenv = repo / ".env"
    settings = parse_dotenv(dotenv.read_text(encoding="utf-8-sig"), {}) if dotenv.exists() else {}
    keys = {name: value for name, value in settings.items() if _SECRET_NAME.search(name)}
    stored = read_json(run_dir(env) / "secrets.json") or {}
    keys |= {name: value for name, value in stored.items() if isinstance(value, str)}
    found = {value: name for name, value in keys.items() if len(value) >= MIN_SECRET_CHARS}
    return found | {f"{repo}/": "the path of this checkout"}


def metadata_problems(raw: bytes, version: str) -> list[str]:
    """Say what an index would refuse, or show badly, of a package's metadata."""
    try:
        told = Metadata.from_email(raw, validate=True)
    except (ExceptionGroup, InvalidMetadata) as error:
        causes = error.exceptions if isinstance(error, ExceptionGroup) else [error]
        return [f"metadata: {cause}" for cause in causes]
    body = told.description or str(message_from_bytes(raw).get_payload())
    wrong = {
        f"it is of version {told.version}, not {version}": str(told.version) != version,
        "a version of this machine only": told.version.local is not None,
        "no README": len(body) < 200 or told.description_content_type != "text/markdown",
        f"licence {told.license_expression}": told.license_expression != "Apache-2.0",
        "no LICENSE": told.license_files != ["LICENSE"],
        "no summary": not told.summary,
        "no oldest Python": told.requires_python is None,
        "extras are missing": not {"worker", "tokenserver", "client", "local"}
        <= set(told.provides_extra or ()),
    }
    return [f"metadata: {problem}" for problem, is_wrong in wrong.items() if is_wrong]


def changelog_problems(version: str, changelog: str) -> list[str]:
    """Say what a changelog lacks: an entry of this version with its date, one for what comes."""
    wanted = {
        f"CHANGELOG.md has no entry `## [{version}] - YYYY-MM-DD`": rf"\[{re.escape(version)}\] - "
        r"\d{4}-\d\d-\d\d",
        "CHANGELOG.md has no entry `## [Unreleased]`": r"\[Unreleased\]",
    }
    return [
        problem
        for problem, heading in wanted.items()
        if not re.search(rf"^## {heading}$", changelog, re.MULTILINE)
    ]


def _differences(files: Iterable[str], expected: set[str]) -> list[str]:
    found = set(files)
    kinds = {"missing": expected - found, "not to be in it": found - expected}
    return [
        f"{kind}: {', '.join(sorted(names)[:MAX_TOLD])}"
        + (f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else "")
        for kind, names in kinds.items()
        if names
    ]


def _leaks(files: Mapping[str, bytes], needles: Mapping[str, str]) -> list[str]:
    """Say which file holds what it must not; the secret itself is not told."""
    problems = [
        f"{name} holds {what}"
        for name, content in files.items()
        for needle, what in needles.items()
        if needle.encode() in content
    ]
    return problems + [
        f"{name} holds what looks like a key" for name in files if _KEYS.search(files[name])
    ]


def _raise(archive: Path, problems: list[str]) -> None:
    if problems:
        raise BadRelease("\n  ".join([f"{archive.name} is not to be released:", *problems]))


def git(*arguments: str, cwd: Path = REPO) -> str:
    """Return what git says in a checkout. Raises `BadRelease`."""
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git made the checkout
            cwd=cwd,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadRelease(f"git cannot tell what belongs into a release: {error}") from error
    return done.stdout.rstrip("\n")
