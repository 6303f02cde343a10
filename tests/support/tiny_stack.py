"""`make run` with small services: `python -m tests.support.tiny_stack MODE[,MODE…] [--detach]`.

Redis and livekit-server are real; each MODE adds a `tiny_service`. The stack listens on the ports
that the environment names and lives in VOICEFLEET_RUN_DIR, as any other. Its pages, unless WEB_DIR
names some, are built from TINY_WEB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from devstack.cli import guarded
from devstack.install.web import WEB
from devstack.services.config import StackConfig
from devstack.services.detachment import run_detached
from devstack.services.fleet import server_services
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.runner import run_stack
from devstack.services.service import Service
from devstack.settings import REPO, process_environment
from devstack.terminal import Terminal

READY_WITHIN_S = {"hopeless": 10.0, "unready": 600.0}


def tiny_service(config: StackConfig, mode: str, port: int) -> Service:
    """Describe a tiny service."""
    return Service(
        command=Command(
            name=mode,
            argv=(sys.executable, "-m", "tests.support.tiny_service", mode),
            env={**config.env, "TINY_PORT": str(port), "ADMIN_API_KEY": config.admin_key},
            log=config.run_dir / "logs" / f"{mode}.log",
            cwd=REPO,
        ),
        url=f"http://127.0.0.1:{port}",
        ready=http_ok(f"http://127.0.0.1:{port}/readyz"),
        ready_within_s=READY_WITHIN_S.get(mode, 60.0),
        stop_within_s=90.0 if mode == "stubborn" else 20.0,
    )


def main(modes: str, *options: str) -> int:
    """Run the stack."""

    def describe(config: StackConfig, *, redis: Path, livekit: Path) -> list[Service]:
        ports = (config.ports.localvoice, config.ports.tokenserver, config.ports.worker)
        tiny = zip(modes.split(","), ports, strict=False)
        services = server_services(config, redis=redis, livekit=livekit)
        return [*services, *(tiny_service(config, mode, port) for mode, port in tiny)]

    env = process_environment()
    terminal = Terminal(env)

    def run(announce: Callable[[], None] | None) -> int:
        web = Path(env["TINY_WEB"]) if "TINY_WEB" in env else WEB
        return run_stack(env, terminal, describe=describe, web=web, when_ready=announce)

    def work(announce: Callable[[], None] | None = None) -> int:
        return guarded(lambda: run(announce), terminal)

    if "--detach" in options:
        return run_detached(work, Path(env["VOICEFLEET_RUN_DIR"]) / "logs" / "stack.log")
    return work()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
