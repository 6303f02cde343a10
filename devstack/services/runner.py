"""`make run`: from nothing to a stack that runs until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from devstack.services.foreground import WhenReady, run_in_foreground
from devstack.services.keys import Keys
from devstack.services.narration import tell_no_pages, tell_provider, tell_ready, tell_replacements
from devstack.services.network import NO_INTERFACE, has_usable_interface
from devstack.services.ports import choose_ports
from devstack.services.record import StackLock
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import is_set, run_dir
from devstack.terminal import Terminal


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
        return run_in_foreground(
            services,
            terminal,
            when_ready=_publishing(config, lock, terminal, when_ready),
            # So that the next run finds them if this one is killed.
            when_started=lambda stack: lock.note(stack.pids),
        )
    finally:
        lock.release()


def _publishing(
    config: StackConfig, lock: StackLock, terminal: Terminal, announce: Callable[[], None] | None
) -> WhenReady:
    """Return what is done when all services are ready."""

    async def publish(stack: Stack, seconds: float) -> None:
        lock.publish(describe_stack(config, stack))
        terminal.step("voicefleet", "ready", seconds)
        tell_ready(terminal, config, stack, is_detached=announce is not None)
        if announce:
            announce()

    return publish


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
