"""uv, which installs everything else: the one on PATH, or a copy of our own.

Standard library only. Our copy comes from `requirements/uv-bootstrap.lock`, checked against its
hashes by whichever pip this machine can offer.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.steps import StepFailed, install_lock, run_step
from devstack.install.versions import Version, parse_version, program_version, show_version
from devstack.settings import REPO, cache_dir
from devstack.terminal import Terminal

LOCK = REPO / "requirements" / "uv-bootstrap.lock"
SYSTEM_PYTHON = "/usr/bin/python3"
APT_PACKAGE = "python3-venv"


def needed_version(lock: Path = LOCK) -> Version:
    """Return the version that the lock pins; a later one on PATH will do, too."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith("uv==") and (version := parse_version(line)):
            return version
    raise ToolMissing(f"{lock} pins no uv: run `make lock`.")


def uv_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return uv's environment: it never fetches a Python and minds no active venv."""
    without_venv = {name: value for name, value in env.items() if name != "VIRTUAL_ENV"}
    return without_venv | {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}


def ensure_uv(env: Mapping[str, str], terminal: Terminal) -> Path:
    """Return a uv that is recent enough, installing one into our cache when there is none."""
    needed = needed_version()
    on_path = shutil.which("uv", path=env.get("PATH"))
    if on_path and (program_version(Path(on_path)) or ()) >= needed:
        return Path(on_path)
    ours = cache_dir(env) / f"uv-{show_version(needed)}"
    if not ours.exists():
        with install_lock(cache_dir(env) / "uv.lock", terminal, "uv"):
            if not ours.exists():
                _install(ours, env, terminal)
    return ours


def _install(target: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    """Put uv at `target` in one step."""
    with tempfile.TemporaryDirectory(prefix="uv-", dir=target.parent) as scratch:
        directory = Path(scratch) / "packages"
        problems = []
        for pip in _pips(Path(scratch), env, terminal):
            options = ("--no-deps", "--require-hashes", "--disable-pip-version-check", "--quiet")
            argv = [*pip, "install", *options, "--target", str(directory), "-r", str(LOCK)]
            try:
                seconds = run_step(terminal, "uv", "installing", argv, env)
            except StepFailed as error:
                problems.append(f"{error}\n{error.log_tail}")
                continue
            (directory / "bin" / "uv").replace(target)
            terminal.step("uv", "ready", seconds)
            return
    raise ToolMissing(_no_uv_message(), log_tail="\n".join(problems))


def _pips(scratch: Path, env: Mapping[str, str], terminal: Terminal) -> Iterator[list[str]]:
    """Yield ways to run pip, the least intrusive first. None touches this Python's packages."""
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("ensurepip"):
        yield from _pip_of_new_venv(sys.executable, scratch / "own", env, terminal)
    for name in ("pip3", "pip"):
        if found := shutil.which(name, path=env.get("PATH")):
            yield [found]
    if os.geteuid() == 0 and (apt := shutil.which("apt-get", path=env.get("PATH"))):
        install = [apt, "install", "-y", "--no-install-recommends", APT_PACKAGE]
        quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            run_step(terminal, "apt", "updating", [apt, "update"], quiet)
            run_step(terminal, APT_PACKAGE, "installing", install, quiet)
        except StepFailed:
            return
        yield from _pip_of_new_venv(SYSTEM_PYTHON, scratch / "system", env, terminal)


def _pip_of_new_venv(
    python: str, directory: Path, env: Mapping[str, str], terminal: Terminal
) -> Iterator[list[str]]:
    try:
        run_step(terminal, "pip", "unpacking", [python, "-m", "venv", str(directory)], env)
    except StepFailed:
        return
    yield [str(directory / "bin" / "python"), "-m", "pip"]


def _no_uv_message() -> str:
    return (
        f"no way to install uv {show_version(needed_version())} was found. Install uv, or give "
        f"this Python a pip: `apt install {APT_PACKAGE}` on Debian and Ubuntu, `dnf install "
        "python3-pip` on Fedora. If pip was there and failed, its message is above: mostly a "
        "proxy or no network."
    )
