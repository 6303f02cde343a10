"""Where servers and the tests' browser are: named by a setting, on PATH, or in our cache.

Nothing is installed here: `livekit_build`, `redis_install`, `chromium` and `prometheus` do that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.versions import Version, program_version, show_version
from devstack.settings import cache_dir, is_set

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program and the versions that will do; `below` is None where later ones always will."""

    program: str
    setting: str
    at_least: Version
    below: Version | None
    cached_as: str
    also_called: tuple[str, ...] = ()

    def accepts(self, version: Version | None) -> bool:
        """Say whether a version will do."""
        if version is None or version < self.at_least:
            return False
        return self.below is None or version < self.below

    @property
    def accepted(self) -> str:
        """The versions that will do, in words."""
        below = f" below {show_version(self.below)}" if self.below else ""
        return f"{show_version(self.at_least)} or later{below}"

    def cached(self, env: Mapping[str, str]) -> Path:
        """Return the place in our cache, whether or not there is something."""
        return cache_dir(env) / self.cached_as


LIVEKIT_VERSION = "1.13.5"

# Dispatch, webhooks and the strict configuration were checked against 1.13.
LIVEKIT = Tool(
    program="livekit-server",
    setting="LIVEKIT_SERVER_BIN",
    at_least=(1, 13),
    below=(1, 14),
    cached_as=f"livekit-server-{LIVEKIT_VERSION}",
)
REDIS = Tool(
    program="redis-server",
    setting="REDIS_SERVER_BIN",
    at_least=(6, 2),
    below=(10,),
    cached_as="redis/redis-server",
)
# Older ones were not tried. On macOS the setting has to name the program inside the application.
CHROMIUM = Tool(
    program="chromium",
    setting="CHROMIUM_BIN",
    at_least=(120,),
    below=None,
    cached_as="chromium",
    also_called=("chromium-browser", "google-chrome", "google-chrome-stable"),
)


def _of_prometheus(program: str, setting: str) -> Tool:
    """Describe one of Debian 12's, or a later one: the rules' own cases have run with it."""
    cached_as = f"prometheus/{program}"
    return Tool(program=program, setting=setting, at_least=(2, 42), below=None, cached_as=cached_as)


PROMETHEUS = _of_prometheus("prometheus", "PROMETHEUS_BIN")
PROMTOOL = _of_prometheus("promtool", "PROMTOOL_BIN")


def find_tool(tool: Tool, env: Mapping[str, str], say: Say = lambda _: None) -> Path | None:
    """Return the program to use, or None when there is none yet.

    Raises `ToolMissing` when the setting names something unusable. A program on PATH of another
    version is passed over, and said so.
    """
    if is_set(env, tool.setting):
        return _named_tool(tool, Path(env[tool.setting]).expanduser())
    for name in (tool.program, *tool.also_called):
        if (found := shutil.which(name, path=env.get("PATH"))) is None:
            continue
        version = program_version(Path(found))
        if tool.accepts(version):
            return Path(found)
        say(
            f"{found} is {show_version(version)}, not {tool.accepted}: "
            f"not used (set {tool.setting} to name another)"
        )
    cached = tool.cached(env)
    return cached if cached.exists() else None


def _named_tool(tool: Tool, path: Path) -> Path:
    if not path.is_file():
        raise ToolMissing(f"{tool.setting}={path}: there is no such file.")
    version = program_version(path)
    if not tool.accepts(version):
        raise ToolMissing(
            f"{tool.setting}={path} is {show_version(version)}; Voicefleet needs {tool.program} "
            f"{tool.accepted}."
        )
    return path.absolute()
