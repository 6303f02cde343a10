"""A stack's life as lines on the terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack.services.ports import Replacement
from devstack.services.service import Service
from devstack.settings import REPO
from devstack.terminal import Terminal

TICK_S = 0.2


class Narrator:
    """The observer that writes to a terminal, and calls `when_started` for each new process."""

    def __init__(self, terminal: Terminal, when_started: Callable[[], None]) -> None:
        self._terminal = terminal
        self._when_started = when_started
        self._under_way: tuple[str, str, float] | None = None

    def starting(self, service: Service) -> None:
        self._under_way = service.name, "starting", time.monotonic()
        self._when_started()

    def ready(self, service: Service, seconds: float) -> None:
        self._under_way = None
        self._terminal.step(service.name, "ready", seconds)

    def stopping(self, service: Service) -> None:
        self._under_way = service.name, "stopping", time.monotonic()

    def stopped(self, service: Service, seconds: float, *, by_itself: bool) -> None:
        self._under_way = None
        self._terminal.step(service.name, "stopped" if by_itself else "killed", seconds)

    @asynccontextmanager
    async def clock(self) -> AsyncIterator[None]:
        """Let the clock of the step that is under way tick."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        while True:
            if self._under_way:
                name, state, began = self._under_way
                self._terminal.clock(name, state, time.monotonic() - began)
            await asyncio.sleep(TICK_S)


def tell_ready(
    terminal: Terminal, services: Sequence[Service], pids: Mapping[str, int], *, is_detached: bool
) -> None:
    """Write what runs and what to do with it."""
    rows = [("service", "where", "pid", "log")]
    rows += [(one.name, one.url, str(pids[one.name]), shorten(one.command.log)) for one in services]
    terminal.line()
    terminal.table(rows)
    terminal.line()
    terminal.line('  ask     make ask Q="What time is it?"')
    terminal.line("  look    make status")
    terminal.line(f"  stop    {'make stop' if is_detached else 'Ctrl-C'}")


def tell_replacements(terminal: Terminal, replacements: Sequence[Replacement]) -> None:
    """Write which default ports were taken."""
    for replacement in replacements:
        terminal.note(str(replacement))


def tell_provider(terminal: Terminal, env: Mapping[str, str]) -> None:
    """Write that the agent speaks with a provider outside; the key is not shown."""
    host = urlsplit(env.get("OPENAI_BASE_URL", "")).hostname or "api.openai.com"
    terminal.note(f"the agent uses {host}, as OPENAI_… says; localvoice speaks for `make ask`")


def shorten(path: Path) -> str:
    """Write a path relative to the checkout, if it is inside."""
    return str(path.relative_to(REPO)) if path.is_relative_to(REPO) else str(path)
