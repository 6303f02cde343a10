"""From a bare Python to the task: see `bootstrap`. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from devstack.errors import DevstackError
from devstack.install.environment import LockName, ensure_environment, venv_python
from devstack.settings import REPO, load_environment
from devstack.terminal import Terminal

RUN_TASKS = frozenset({"run", "stop", "status", "observe", "ask", "web-dev"})
"""Tasks that do without the developer's tools."""


def main(argv: Sequence[str]) -> NoReturn:
    """Prepare, then become the task; exits when the preparation fails."""
    task, *arguments = argv or ["--help"]
    try:
        env = load_environment()
    except DevstackError as error:
        sys.exit(str(error))
    terminal = Terminal(env, sys.stderr)
    lock: LockName = "run" if task in RUN_TASKS else "dev"
    try:
        ensure_environment(lock, env, terminal)
    except DevstackError as error:
        terminal.error(str(error), error.log_tail)
        sys.exit(1)
    except KeyboardInterrupt:
        terminal.line()
        sys.exit(130)
    _become(task, arguments)


def _become(task: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the task, so that signals go straight to it."""
    os.chdir(REPO)
    python = str(venv_python())
    os.execv(python, [python, "-m", "devstack", task, *arguments])  # noqa: S606
