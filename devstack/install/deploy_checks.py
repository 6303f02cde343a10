"""What checks the files of deploy/: kustomize, which builds the overlays, and systemd's own check.

Only tests need them, so a machine that cannot have them is no error.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.apt import apt_install
from devstack.install.livekit_build import find_go, install_go
from devstack.install.steps import StepFailed, install_lock, run_step
from devstack.install.versions import program_version
from devstack.settings import cache_dir
from devstack.terminal import Terminal

KUSTOMIZE_VERSION = "5.7.1"
MODULE = f"sigs.k8s.io/kustomize/kustomize/v5@v{KUSTOMIZE_VERSION}"
SYSTEMD_PACKAGE = "systemd"


def path_for_tests(env: Mapping[str, str], terminal: Terminal) -> str:
    """Return a PATH on which both are, as far as this machine can have them; else a warning."""
    path = env.get("PATH", os.defpath)
    if not shutil.which("systemd-analyze", path=path):
        # In a container nothing of it starts: it is not the first process there.
        apt_install(SYSTEMD_PACKAGE, "systemd", env, terminal)
    if shutil.which("kustomize", path=path) or shutil.which("kubectl", path=path):
        return path
    try:
        return f"{_kustomize(env, terminal).parent}{os.pathsep}{path}"
    except ToolMissing as error:
        terminal.warning(
            f"no kustomize ({error}): tests of deploy/kubernetes are skipped, and fail where CI is "
            "set. Put kustomize 5 or kubectl on PATH."
        )
        return path


def _kustomize(env: Mapping[str, str], terminal: Terminal) -> Path:
    """Return our kustomize, built when it is not there yet. Raises ToolMissing."""
    target = cache_dir(env) / f"kustomize-{KUSTOMIZE_VERSION}" / "kustomize"
    with install_lock(cache_dir(env) / "kustomize.lock", terminal, "kustomize"):
        if not target.exists():
            _build(target, env, terminal)
    return target


def _build(target: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    go = find_go(env) or install_go(env, terminal)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as scratch:
        argv = [str(go.program), "install", "-trimpath", "-ldflags=-s -w", MODULE]
        environment = go.environment(env, Path(scratch))
        try:
            seconds = run_step(terminal, "kustomize", "building", argv, environment)
        except StepFailed as error:
            raise ToolMissing(f"its build failed: {error}", log_tail=error.log_tail) from None
        built = Path(scratch) / "kustomize"
        if program_version(built, "version") is None:
            raise ToolMissing("what was built does not run")
        built.replace(target)
    terminal.step("kustomize", "built", seconds, KUSTOMIZE_VERSION)
    if go.own_caches:
        shutil.rmtree(go.own_caches, ignore_errors=True)
