"""Servers of the benchmark's own: on free ports, gone with the benchmark however that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from devstack.errors import PortTaken, ToolMissing
from devstack.install.tools import Tool, find_tool
from devstack.services.service import Service
from devstack.services.stack import Stack

_START_ATTEMPTS = 5


def find_program(tool: Tool, env: Mapping[str, str]) -> Path:
    """Return the program, found as `make run` finds it. Raises ToolMissing."""
    if found := find_tool(tool, env):
        return found
    raise ToolMissing(f"no {tool.program} here: run `make setup`, or set {tool.setting}")


@asynccontextmanager
async def running(describe: Callable[[], Sequence[Service]]) -> AsyncIterator[Stack]:
    """Run services until the block is left.

    They are described anew, on other ports, when somebody else was quicker to bind.
    """
    for attempt in range(1, _START_ATTEMPTS + 1):
        stack = Stack(describe())
        try:
            await stack.start()
        except PortTaken:
            await stack.stop()
            if attempt == _START_ATTEMPTS:
                raise
        except BaseException:
            await stack.stop()
            raise
        else:
            break
    try:
        yield stack
    finally:
        await stack.stop()
