"""Stacks of small services, of which no process outlives its test, and a small web/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devstack.install.tools import LIVEKIT, REDIS
from devstack.install.web import STAMP
from tests.support.programs import StackProgram
from tests.support.servers import program

NewStack = Callable[..., StackProgram]

COPIES = "mkdir dist && cp index.html dist/ && echo built >> ../builds"
"""A build that is a copy; it notes that it was done."""


def make_web(web: Path, build: str = COPIES) -> Path:
    """Make a web/ with one page, all packages that its lock lists, and a command that builds it."""
    for folder in ("src", "public", "test", "node_modules"):
        (web / folder).mkdir(parents=True)
    (web / "package.json").write_text(json.dumps({"scripts": {"build": build}}))
    (web / "package-lock.json").write_text("{}")
    (web / "node_modules" / STAMP).write_text(hashlib.sha256(b"{}").hexdigest())
    (web / "index.html").write_text("first")
    (web / "src" / "main.ts").write_text("export {};")
    return web


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[NewStack]:
    """Make stack programs; they are not started."""
    binaries = {tool.setting: str(program(tool)) for tool in (REDIS, LIVEKIT)}
    stacks: list[StackProgram] = []

    def make(modes: str = "healthy", env: Mapping[str, str] | None = None) -> StackProgram:
        home = tmp_path / str(len(stacks))
        home.mkdir()
        stacks.append(StackProgram(home, modes, {**binaries, **(env or {})}))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.end()
