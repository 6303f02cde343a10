"""Debian's packages, where we may install them, or at least get them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.install.steps import StepFailed, run_step
from devstack.terminal import Terminal


def apt_install(
    package: str, name: str, env: Mapping[str, str], terminal: Terminal, note: str = ""
) -> bool:
    """Install a package of Debian's as the step `name`; False where that is not possible."""
    if not _is_root():
        return False
    words = ("install", "-y", "--no-install-recommends", package)
    seconds = _run_apt(words, name, "installing", env, terminal)
    if seconds is None:
        return False
    terminal.step(name, "installed", seconds, f"{package}{note}")
    return True


def apt_unpack(
    package: str, name: str, directory: Path, env: Mapping[str, str], terminal: Terminal
) -> bool:
    """Unpack a package of Debian's into an empty `directory`; False where that is not possible.

    Nothing is installed, so nothing of it starts, and nobody has to be root.
    """
    dpkg = shutil.which("dpkg-deb", path=env.get("PATH"))
    words = ("download", package)
    if dpkg is None or _run_apt(words, name, "fetching", env, terminal, cwd=directory) is None:
        return False
    (archive,) = directory.glob("*.deb")
    try:
        run_step(terminal, name, "unpacking", [dpkg, "-x", str(archive), str(directory)], env)
    except StepFailed as error:
        terminal.note(f"{package} cannot be unpacked ({error})")
        return False
    archive.unlink()
    return True


def _run_apt(
    words: Sequence[str],
    name: str,
    state: str,
    env: Mapping[str, str],
    terminal: Terminal,
    *,
    cwd: Path | None = None,
) -> float | None:
    """Return how many seconds apt-get took; None, and a note, where it does not do it.

    The last of `words` is the package. The lists are brought up to date where that helps.
    """
    apt = shutil.which("apt-get", path=env.get("PATH"))
    if apt is None:
        return None
    quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return run_step(terminal, name, state, [apt, *words], quiet, cwd=cwd)
    except StepFailed as error:  # the package lists are missing, or too old
        failure = error
    if _is_root():
        try:
            run_step(terminal, "apt", "updating", [apt, "update"], quiet)
            return run_step(terminal, name, state, [apt, *words], quiet, cwd=cwd)
        except StepFailed as error:
            failure = error
    terminal.note(f"apt has no {words[-1]} for us ({failure})")
    return None


def _is_root() -> bool:
    return os.geteuid() == 0
