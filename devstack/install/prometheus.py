"""Prometheus, and promtool, which checks its rules. Nothing of a stack needs them: `make observe`
and tests do, so a machine without them is no error.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from devstack.install.apt import apt_unpack
from devstack.install.steps import install_lock
from devstack.install.tools import PROMETHEUS, PROMTOOL, Tool, find_tool
from devstack.install.versions import program_version, show_version
from devstack.settings import cache_dir
from devstack.terminal import Terminal

# Debian's package is a service that starts by itself, so it is not installed, only unpacked.
APT_PACKAGE = "prometheus"
PAGES = "web"
"""Debian's Prometheus reads its pages from a folder; other ones have them in the program."""
HOW_TO_GET = (
    f"Install one (`apt install {APT_PACKAGE}` on Debian, where it starts a service; "
    f"`brew install prometheus` on macOS), or set {PROMETHEUS.setting} and {PROMTOOL.setting} to "
    f"programs {PROMETHEUS.accepted}, as https://prometheus.io/download/ has them."
)


def ensure_prometheus(tool: Tool, env: Mapping[str, str], terminal: Terminal) -> Path | None:
    """Return one of the two programs, on Debian after getting it; None where there is none.

    Raises `ToolMissing` when the setting names something unusable.
    """
    if found := find_tool(tool, env, terminal.note):
        return found
    return tool.cached(env) if _unpack(env, terminal) else None


def prometheus_for_tests(env: Mapping[str, str], terminal: Terminal) -> dict[str, str]:
    """Return where both programs are, by their settings; less, and a warning, without one.

    Raises `ToolMissing` when a setting names something unusable.
    """
    found: dict[str, str] = {}
    for tool in (PROMETHEUS, PROMTOOL):
        program = ensure_prometheus(tool, env, terminal)
        if program is None:
            terminal.warning(
                f"no {tool.program}: its tests are skipped, and fail where CI is set. {HOW_TO_GET}"
            )
            break
        found[tool.setting] = str(program)
    return found


def pages_of(program: Path) -> Path | None:
    """Return the pages that a Prometheus of our cache has to be told of."""
    pages = program.with_name(PAGES)
    return pages if pages.is_dir() else None


def _unpack(env: Mapping[str, str], terminal: Terminal) -> bool:
    """Put Debian's programs into our cache, complete or not at all; False where we cannot."""
    cache, target = cache_dir(env), PROMETHEUS.cached(env).parent
    with install_lock(cache / "prometheus.lock", terminal, "prometheus"):
        if target.exists():
            return True
        with tempfile.TemporaryDirectory(prefix="prometheus-", dir=cache) as scratch:
            package, draft = Path(scratch) / "package", Path(scratch) / "prometheus"
            package.mkdir()
            if not apt_unpack(APT_PACKAGE, "prometheus", package, env, terminal):
                return False
            if not _take(package, draft, terminal):
                return False
            draft.replace(target)
    terminal.step("prometheus", "unpacked", note=f"{APT_PACKAGE}, no service")
    return True


def _take(package: Path, draft: Path, terminal: Terminal) -> bool:
    """Move what we need of an unpacked package; False, and a note, where it will not do."""
    draft.mkdir()
    for tool in (PROMETHEUS, PROMTOOL):
        program = package / "usr" / "bin" / tool.program
        version = program_version(program)
        if not tool.accepts(version):
            terminal.note(f"Debian's {tool.program} is {show_version(version)}: not used")
            return False
        shutil.move(program, draft)
    pages = package / "usr" / "share" / "prometheus" / PAGES
    if pages.is_dir():
        shutil.move(pages, draft)
    return True
