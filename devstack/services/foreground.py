"""Services that run until a signal, or until one of them dies, while a terminal tells of them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from devstack.errors import DevstackError
from devstack.services.narration import Narrator
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.terminal import Terminal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WhenReady = Callable[[Stack, float], Awaitable[None]]
"""What is done once all services are ready, which took so many seconds."""


def run_in_foreground(
    services: Sequence[Service],
    terminal: Terminal,
    *,
    when_ready: WhenReady,
    when_started: Callable[[Stack], None] = lambda _: None,
) -> int:
    """Run services until a signal, or the death of one. Return the exit status.

    `when_started` is called for each new process.
    """
    run = Foreground(services, terminal, when_ready, when_started)
    return asyncio.run(run.until_stopped())


class Foreground:
    """One run of some services, with its signals."""

    def __init__(
        self,
        services: Sequence[Service],
        terminal: Terminal,
        when_ready: WhenReady,
        when_started: Callable[[Stack], None],
    ) -> None:
        self._terminal = terminal
        self._when_ready = when_ready
        self._narrator = Narrator(terminal, lambda: when_started(self._stack))
        self._stack = Stack(services, self._narrator)
        self._stop_requested = asyncio.Event()

    async def until_stopped(self) -> int:
        """Start, watch, stop. The first signal stops in order, the second kills."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        error: DevstackError | None = None
        async with self._narrator.clock():
            try:
                await self._unless_stopped(self._start())
                await self._unless_stopped(self._stack.until_one_dies())
            except DevstackError as caught:
                error = caught
                if len(self._stack.services) > 1:
                    self._terminal.line("\nOne service failed; stopping the others.")
            finally:
                await self._stack.stop()
        if error:
            self._terminal.error(str(error), error.log_tail)
        return 1 if error else 0

    async def _start(self) -> None:
        began = time.monotonic()
        await self._stack.start()
        await self._when_ready(self._stack, time.monotonic() - began)

    async def _unless_stopped(self, work: Awaitable[None]) -> None:
        """Do `work` until it is done or a stop is requested."""
        task = asyncio.ensure_future(work)
        request = asyncio.ensure_future(self._stop_requested.wait())
        try:
            await asyncio.wait({task, request}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
        finally:
            for one in (task, request):
                one.cancel()
            await asyncio.gather(task, request, return_exceptions=True)

    def _on_signal(self) -> None:
        if self._stop_requested.is_set():
            self._stack.kill()
        else:
            self._terminal.line("\nStopping; once more to force it.")
            self._stop_requested.set()
