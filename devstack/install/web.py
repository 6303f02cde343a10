"""The npm packages of web/, kept equal to their lock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.node import Node, find_node
from devstack.install.steps import StepFailed, install_lock, run_step
from devstack.settings import REPO
from devstack.terminal import Terminal

WEB = REPO / "web"
STAMP = "voicefleet.stamp"
"""Inside node_modules, which npm empties first: says which lock it was filled from, completely."""


def is_web_current(web: Path = WEB) -> bool:
    """Say whether node_modules has what the lock lists."""
    try:
        stamp = (web / "node_modules" / STAMP).read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return stamp == _stamp_of(web)


def ensure_web(env: Mapping[str, str], terminal: Terminal, web: Path = WEB) -> Node:
    """Install what web/package-lock.json lists, unless it is there; return the Node.js to use.

    The packages come from whichever registry npm is configured for. Raises `ToolMissing`.
    """
    node = find_node(env)
    if is_web_current(web):
        return node
    with web_lock(web, terminal, "web"):
        if not is_web_current(web):
            _install(node, web, env, terminal)
    return node


@contextmanager
def web_lock(web: Path, terminal: Terminal, name: str) -> Iterator[None]:
    """Hold the lock of web/ as the step `name`: nobody changes its packages during a build."""
    with install_lock(web / ".install.lock", terminal, name):
        yield


def _install(node: Node, web: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    stamp = _stamp_of(web)
    try:
        seconds = run_step(
            terminal, "web", "installing", [*node.npm, "ci"], node.environment(env), cwd=web
        )
    except StepFailed as error:
        raise ToolMissing(
            "web/package-lock.json could not be installed: mostly a proxy or no network.",
            log_tail=error.log_tail,
        ) from None
    (web / "node_modules" / STAMP).write_text(stamp + "\n", encoding="utf-8")
    terminal.step("web", "installed", seconds, "web/package-lock.json")


def _stamp_of(web: Path) -> str:
    return hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
