"""Runs a benchmark as a user would, with the servers that the tests have."""

from __future__ import annotations

import subprocess
import sys

from devstack.install.tools import LIVEKIT, REDIS
from devstack.settings import REPO
from tests.support.servers import neutral_environment, program


def run(module: str, *arguments: str, within_s: float) -> subprocess.CompletedProcess[str]:
    """Run `python -m bench.module`. Raises TimeoutExpired."""
    return subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments],
        cwd=REPO,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
    )


def environment() -> dict[str, str]:
    """Return what a benchmark is given: no settings, and the servers of the tests."""
    programs = {tool.setting: str(program(tool)) for tool in (REDIS, LIVEKIT)}
    return neutral_environment() | programs
