"""The files of a release: wheel, sdist, and the pages as an archive of their own."""

from __future__ import annotations

import gzip
import re
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import BuildFailed
from devstack.install.steps import StepFailed, run_step
from devstack.settings import REPO, bare_environment
from devstack.terminal import Terminal

VERSION_FILE = REPO / "telemetry" / "version.py"
"""Where the version stands, for pyproject.toml, too."""


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What was built."""

    sdist: Path
    wheel: Path


def release_version(path: Path = VERSION_FILE) -> str:
    """Return the version that the checkout says it is. Raises `BuildFailed`."""
    found: list[str] = re.findall(r'^VERSION = "(.+)"$', path.read_text(encoding="utf-8"), re.M)
    if len(found) != 1:
        raise BuildFailed(f'{path} has to have one line VERSION = "…", and has {len(found)}.')
    return found[0]


def build(directory: Path, env: Mapping[str, str], terminal: Terminal) -> Artifacts:
    """Build sdist and wheel from the checkout, with the locked hatchling. Raises `BuildFailed`."""
    _hatch(REPO, directory, env, terminal, "build")
    (sdist,), (wheel,) = directory.glob("*.tar.gz"), directory.glob("*.whl")
    return Artifacts(sdist=sdist, wheel=wheel)


def rebuild(sdist: Path, env: Mapping[str, str], terminal: Terminal) -> bytes:
    """Return the wheel that somebody gets who has only the sdist. Raises `BuildFailed`."""
    with tempfile.TemporaryDirectory(prefix="voicefleet-sdist-") as scratch:
        with tarfile.open(sdist) as packed:
            packed.extractall(scratch, filter="data")
        (source,) = Path(scratch).iterdir()
        _hatch(source, Path(scratch) / "wheel", env, terminal, "rebuild", "-t", "wheel")
        (wheel,) = (Path(scratch) / "wheel").glob("*.whl")
        return wheel.read_bytes()


def pack_pages(pages: Path, directory: Path, version: str) -> Path:
    """Pack built pages for WEB_DIR: always the same bytes, no hidden files, no source maps."""
    target = directory / f"voicefleet-pages-{version}.tar.gz"
    root = f"voicefleet-pages-{version}"
    with (
        target.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in sorted(pages.rglob("*")):
            name = path.relative_to(pages)
            is_hidden = any(part.startswith(".") for part in name.parts)
            if path.is_file() and not is_hidden and name.suffix != ".map":
                entry = tarfile.TarInfo(f"{root}/{name.as_posix()}")
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    archive.addfile(entry, content)
    return target


def _hatch(
    source: Path, target: Path, env: Mapping[str, str], terminal: Terminal, name: str, *extra: str
) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *extra]
    try:
        seconds = run_step(terminal, name, "building", argv, bare_environment(env), cwd=source)
    except StepFailed as error:
        raise BuildFailed(
            "the packages cannot be built: above is what hatchling says. Correct pyproject.toml.",
            log_tail=error.log_tail,
        ) from None
    terminal.step(name, "ok", seconds)
