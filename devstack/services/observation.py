"""`make observe`: Prometheus, on the running stack, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from devstack.errors import AlreadyRunning, ToolMissing
from devstack.files import try_lock
from devstack.install.prometheus import HOW_TO_GET, ensure_prometheus
from devstack.install.tools import PROMETHEUS
from devstack.services.foreground import run_in_foreground
from devstack.services.narration import shorten, tell_replacements
from devstack.services.ports import PROMETHEUS_PORT, choose_port
from devstack.services.prometheus import RETENTION, Scrape, admin_key_file, prometheus_service
from devstack.services.readiness import http_ok, verdict
from devstack.services.record import damaged, require_stack
from devstack.services.stack import Stack
from devstack.settings import run_dir
from devstack.terminal import Terminal

PAGES = ("", "/classic", "/api/v1")
"""Where `targets` and `alerts` are: in most of them, in Debian's, and without any pages."""


def observe_stack(env: Mapping[str, str], terminal: Terminal) -> int:
    """Run Prometheus on the running stack until a signal. Return the exit status.

    Raises `NotRunning`, `AlreadyRunning`, `ToolMissing` or `PortTaken`.
    """
    directory = run_dir(env)
    scrape = read_scrape(directory)
    program = ensure_prometheus(PROMETHEUS, env, terminal)
    if program is None:
        raise ToolMissing(f"no Prometheus: {HOW_TO_GET}")
    with _alone(directory):
        port, replacement = choose_port(PROMETHEUS_PORT, env)
        tell_replacements(terminal, [replacement] if replacement else [])
        service = prometheus_service(program, port=port, run_dir=directory, scrape=scrape, env=env)

        async def tell(_: Stack, __: float) -> None:
            await _tell_where(service.url, directory, terminal)

        try:
            return run_in_foreground([service], terminal, when_ready=tell)
        finally:
            admin_key_file(directory).unlink(missing_ok=True)


def read_scrape(directory: Path) -> Scrape:
    """Return whom to scrape of the running stack. Raises `NotRunning`."""
    match require_stack(directory):
        case {"apiUrl": str(api), "workerUrl": str(worker), "adminKey": str(key)}:
            targets = {
                "voicefleet-tokens": [urlsplit(api).netloc],
                "voicefleet-workers": [urlsplit(worker).netloc],
            }
            return Scrape(targets=targets, admin_key=key)
    raise damaged()


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Refuse a second Prometheus, which would want the same data."""
    with (directory / "prometheus.lock").open("a") as file:
        if not try_lock(file):
            raise AlreadyRunning(
                "this stack is observed already: Ctrl-C where `make observe` runs ends that."
            )
        yield


async def _tell_where(url: str, directory: Path, terminal: Terminal) -> None:
    """Write what to look at; which pages there are depends on who has built this Prometheus."""
    found = [prefix for prefix in PAGES if await verdict(http_ok(f"{url}{prefix}/targets")) is None]
    pages = url + (found or PAGES[-1:])[0]
    terminal.line()
    terminal.line(f"  prometheus {url}/")
    terminal.line(f"  targets    {pages}/targets (all are up within 15 s)")
    terminal.line(f"  alerts     {pages}/alerts (what to do then: docs/runbooks/README.md)")
    terminal.line(f"  data       {shorten(directory / 'prometheus')}, kept for {RETENTION}")
    terminal.line("  stop       Ctrl-C; the stack goes on")
