"""A stack's life as lines on the terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack.errors import DevstackError
from devstack.services.config import StackConfig
from devstack.services.ports import Replacement
from devstack.services.record import stack_file
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import REPO, is_set
from devstack.terminal import Terminal

TICK_S = 0.2
NO_PAGES = "no call page and no console, only the API"


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


def tell_ready(terminal: Terminal, config: StackConfig, stack: Stack, *, is_detached: bool) -> None:
    """Write what runs and what to do with it."""
    rows = [("service", "where", "pid", "log")]
    for service in stack.services:
        pid, log = stack.pids[service.name], service.command.log
        rows.append((service.name, service.url, str(pid), shorten(log)))
    terminal.line()
    terminal.table(rows)
    terminal.line()
    if config.web_url:
        terminal.line(f"  call    {config.web_url}/")
        terminal.line(f"  console {config.web_url}/console ({_where_admin_key_is(config)})")
    else:
        terminal.line("  call    no page, as warned above; the API is there")
    terminal.line('  ask     make ask Q="What time is it?"')
    terminal.line("  look    make status")
    terminal.line(f"  stop    {'make stop' if is_detached else 'Ctrl-C'}")


def _where_admin_key_is(config: StackConfig) -> str:
    if is_set(config.env, "ADMIN_API_KEY"):
        return "its key is your ADMIN_API_KEY"
    return f"its key is the adminKey in {shorten(stack_file(config.run_dir))}"


def tell_no_pages(terminal: Terminal, error: DevstackError) -> None:
    """Write that there will be no pages, why, and what to do about it."""
    terminal.warning(f"{NO_PAGES}: {error} The next `make run` tries again.", error.log_tail)


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
