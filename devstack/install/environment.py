"""The virtual environment, kept equal to a lock. Standard library only."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from devstack.install.steps import install_lock, run_step
from devstack.install.uv import ensure_uv, uv_environment
from devstack.settings import REPO, VENV
from devstack.terminal import Terminal

LockName = Literal["run", "dev"]

STAMP = VENV / "voicefleet.stamp"
"""Says which lock the environment was made from, once it was made completely."""

VENV_LOCK = VENV.with_name(f"{VENV.name}.lock")


def venv_python(venv: Path = VENV) -> Path:
    """Return the environment's interpreter."""
    return venv / "bin" / "python"


def lock_file(name: LockName) -> Path:
    """Return the path of a lock."""
    return REPO / "requirements" / f"{name}.lock"


def stamp_of(name: LockName, lock: Path) -> str:
    """Return what the stamp says when the environment has what the lock lists."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{name} {version} {hashlib.sha256(lock.read_bytes()).hexdigest()}"


def is_current(name: LockName) -> bool:
    """Say whether the environment has what a lock lists. The dev lock includes the run lock."""
    if not venv_python().exists() or not STAMP.exists():
        return False
    stamp = STAMP.read_text(encoding="utf-8").strip()
    accepted: tuple[LockName, ...] = ("dev",) if name == "dev" else ("dev", "run")
    return any(stamp == stamp_of(one, lock_file(one)) for one in accepted)


def ensure_environment(name: LockName, env: Mapping[str, str], terminal: Terminal) -> None:
    """Make or update the environment; takes milliseconds when there is nothing to do."""
    if is_current(name):
        return
    with install_lock(VENV_LOCK, terminal, "packages"):
        if is_current(name):
            return
        uv = str(ensure_uv(env, terminal))
        quiet_env = uv_environment(env)
        STAMP.unlink(missing_ok=True)
        if not _is_usable():
            shutil.rmtree(VENV, ignore_errors=True)
            make = [uv, "venv", "--quiet", "--python", sys.executable, str(VENV)]
            run_step(terminal, "python", "creating", make, quiet_env)
        # `install` for run: it must not remove a developer's tools from under them.
        verb = ("sync",) if name == "dev" else ("install", "-r")
        lock = lock_file(name)
        options = ("--quiet", "--python", str(venv_python()), "--require-hashes")
        argv = [uv, "pip", verb[0], *options, *verb[1:], str(lock)]
        seconds = run_step(terminal, "packages", "installing", argv, quiet_env)
        STAMP.write_text(stamp_of(name, lock) + "\n", encoding="utf-8")
        terminal.step("packages", "ready", seconds, f"requirements/{lock.name}")


def _is_usable() -> bool:
    """Say whether the environment has an interpreter of the same version as this one."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}."
    try:
        config = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    versions = [line for line in config.splitlines() if line.startswith("version")]
    return venv_python().exists() and any(f"= {wanted}" in line for line in versions)
