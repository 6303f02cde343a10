"""Programs that come as Python packages: installed into our cache, checked against a lock."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.environment import venv_python
from devstack.install.steps import StepFailed, install_lock, run_step
from devstack.install.uv import ensure_uv, uv_environment
from devstack.settings import REPO, cache_dir
from devstack.terminal import Terminal


def install_locked(name: str, env: Mapping[str, str], terminal: Terminal) -> Path:
    """Return the directory with what `requirements/<name>.lock` lists, complete or not there."""
    lock = REPO / "requirements" / f"{name}.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    target = cache_dir(env) / f"{name}-{digest}"
    with install_lock(cache_dir(env) / f"{name}.lock", terminal, name):
        if not target.exists():
            _install(lock, target, env, terminal)
    return target


def _install(lock: Path, target: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    uv = ensure_uv(env, terminal)
    with tempfile.TemporaryDirectory(prefix=f"{lock.stem}-", dir=target.parent) as scratch:
        directory = Path(scratch) / "packages"
        options = ("--quiet", "--require-hashes", "--python", str(venv_python()))
        argv = [str(uv), "pip", "install", *options, "--target", str(directory), "-r", str(lock)]
        try:
            seconds = run_step(terminal, lock.stem, "installing", argv, uv_environment(env))
        except StepFailed as error:
            raise ToolMissing(
                f"requirements/{lock.name} could not be installed: mostly a proxy or no network.",
                log_tail=error.log_tail,
            ) from None
        shutil.move(directory, target)
    terminal.step(lock.stem, "installed", seconds)
