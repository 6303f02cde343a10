"""`make run`: from nothing to a stack that runs until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devstack.errors import DevstackError
from devstack.install.livekit_build import build_livekit
from devstack.install.pages import ensure_pages
from devstack.install.redis_install import install_redis
from devstack.install.tools import LIVEKIT, REDIS, find_tool
from devstack.install.web import WEB
from devstack.services.config import StackConfig
from devstack.services.fleet import fleet_services
from devstack.services.keys import Keys
from devstack.services.narration import (
    Narrator,
    tell_no_pages,
    tell_provider,
    tell_ready,
    tell_replacements,
)
from devstack.services.network import NO_INTERFACE, has_usable_interface
from devstack.services.ports import choose_ports
from devstack.services.record import StackLock
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import is_set, run_dir
from devstack.terminal import Terminal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Describe(Protocol):
    """Lists the services of a stack."""

    def __call__(self, config: StackConfig, *, redis: Path, livekit: Path) -> list[Service]: ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The server programs."""

    redis: Path
    livekit: Path


def ensure_tools(env: Mapping[str, str], terminal: Terminal) -> Tools:
    """Find the server programs, or install them into our cache."""
    redis = find_tool(REDIS, env, terminal.note) or install_redis(env, terminal)
    livekit = find_tool(LIVEKIT, env, terminal.note) or build_livekit(env, terminal)
    return Tools(redis=redis, livekit=livekit)


def build_pages(env: Mapping[str, str], terminal: Terminal, web: Path = WEB) -> Path | None:
    """Return the folder with the pages of `web`; None when WEB_DIR names others, or without any.

    Whatever is in the way of building them is said, and is no reason to do without the API.
    """
    if is_set(env, "WEB_DIR"):
        return None
    try:
        return ensure_pages(env, terminal, web)
    except DevstackError as error:
        tell_no_pages(terminal, error)
        return None


def run_stack(
    env: Mapping[str, str],
    terminal: Terminal,
    *,
    describe: Describe = fleet_services,
    web: Path = WEB,
    when_ready: Callable[[], None] | None = None,
) -> int:
    """Run a stack until a signal, or the death of a service. Return the exit status.

    `when_ready` is called once all services are ready, by a stack that then detaches.
    """
    directory = run_dir(env)
    lock, was_unclean = StackLock.acquire(directory)
    try:
        if was_unclean:
            terminal.note("the last stack was killed; what it left is cleaned up")
        tools = ensure_tools(env, terminal)
        web_dir = build_pages(env, terminal, web)
        ports, replacements = choose_ports(env)
        keys = Keys.load(directory / "secrets.json")
        config = StackConfig(run_dir=directory, ports=ports, keys=keys, env=env, web_dir=web_dir)
        tell_replacements(terminal, replacements)
        if config.has_own_provider:
            tell_provider(terminal, env)
        if not has_usable_interface():
            terminal.warning(NO_INTERFACE)
        services = describe(config, redis=tools.redis, livekit=tools.livekit)
        run = StackRun(services, config, lock, terminal, when_ready)
        return asyncio.run(run.until_stopped())
    finally:
        lock.release()


class StackRun:
    """One run of a stack, with its signals."""

    def __init__(
        self,
        services: list[Service],
        config: StackConfig,
        lock: StackLock,
        terminal: Terminal,
        when_ready: Callable[[], None] | None,
    ) -> None:
        self._config = config
        self._lock = lock
        self._terminal = terminal
        self._when_ready = when_ready
        self._narrator = Narrator(terminal, self._note_pids)
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
                self._terminal.line("\nOne service failed; stopping the others.")
            finally:
                await self._stack.stop()
        if error:
            self._terminal.error(str(error), error.log_tail)
        return 1 if error else 0

    def _note_pids(self) -> None:
        """Write down the processes, so that the next run finds them if this one is killed."""
        self._lock.note(self._stack.pids)

    async def _start(self) -> None:
        began = time.monotonic()
        await self._stack.start()
        self._lock.publish(describe_stack(self._config, self._stack))
        self._terminal.step("voicefleet", "ready", time.monotonic() - began)
        is_detached = self._when_ready is not None
        tell_ready(self._terminal, self._config, self._stack, is_detached=is_detached)
        if self._when_ready:
            self._when_ready()

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


def describe_stack(config: StackConfig, stack: Stack) -> dict[str, object]:
    """Return the content of `stack.json`: what scripts need to talk to the stack. Holds keys."""
    return {
        "apiUrl": config.api_url,
        "webUrl": config.web_url,
        "livekitUrl": config.livekit_url,
        "redisUrl": config.redis_url,
        "localvoiceUrl": config.localvoice_url,
        "localvoiceKey": config.localvoice_key,
        "workerUrl": config.worker_url,
        "adminKey": config.admin_key,
        "livekitApiKey": config.keys.livekit_api_key,
        "livekitApiSecret": config.keys.livekit_api_secret,
        "pids": stack.pids,
        "stopWithinS": sum(service.stop_within_s for service in stack.services),
        "services": [
            {
                "name": service.name,
                "url": service.url,
                "health": service.ready.url,
                "pid": stack.pids[service.name],
                "log": str(service.command.log),
            }
            for service in stack.services
        ],
    }
