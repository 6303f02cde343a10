"""The browser of the tests. Nothing that runs needs it, so a machine without one is no error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devstack.install.apt import apt_install
from devstack.install.tools import CHROMIUM, find_tool
from devstack.terminal import Terminal

APT_PACKAGE = "chromium"


def ensure_chromium(env: Mapping[str, str], terminal: Terminal) -> Path | None:
    """Return a browser, as root on Debian after installing it; None, and a warning, without one.

    Raises `ToolMissing` when the setting names something unusable.
    """
    if found := find_tool(CHROMIUM, env, terminal.note):
        return found
    if apt_install(APT_PACKAGE, "chromium", env, terminal) and (found := find_tool(CHROMIUM, env)):
        return found
    terminal.warning(
        "no Chromium: tests with a browser are skipped, and fail where CI is set. Install it "
        f"(`apt install {APT_PACKAGE}` on Debian, `dnf install chromium` on Fedora), or set "
        f"{CHROMIUM.setting} to a Chromium or Chrome {CHROMIUM.accepted}."
    )
    return None
