"""Stacks of small services, and the certainty that none of their processes outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devstack.install.tools import LIVEKIT, REDIS
from tests.support.programs import StackProgram
from tests.support.servers import program

NewStack = Callable[..., StackProgram]


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
