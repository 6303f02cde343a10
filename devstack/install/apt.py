"""Debian's packages, where we may install them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from devstack.install.steps import StepFailed, run_step
from devstack.terminal import Terminal


def apt_install(
    package: str, name: str, env: Mapping[str, str], terminal: Terminal, note: str = ""
) -> bool:
    """Install a package of Debian's as the step `name`; False where that is not possible."""
    apt = shutil.which("apt-get", path=env.get("PATH"))
    if apt is None or os.geteuid() != 0:
        return False
    quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "install", "-y", "--no-install-recommends", package]
    try:
        seconds = run_step(terminal, name, "installing", install, quiet)
    except StepFailed:  # the package lists are missing, or too old
        try:
            run_step(terminal, "apt", "updating", [apt, "update"], quiet)
            seconds = run_step(terminal, name, "installing", install, quiet)
        except StepFailed as error:
            terminal.note(f"apt has no {package} for us ({error})")
            return False
    terminal.step(name, "installed", seconds, f"{package}{note}")
    return True
