"""`make status` and `make stop`: what is done to a stack from outside its process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from devstack.services.narration import shorten
from devstack.services.readiness import Check, verdict
from devstack.services.record import is_running, read_holder, read_stack
from devstack.terminal import Terminal

STOPS_WITHIN_S = 90.0
"""How long a stack that is still starting may take to stop; then it is killed."""
MARGIN_S = 10.0
"""What a stack needs beside the time that its services may take to stop."""
KILLED_WITHIN_S = 20.0
POLL_S = 0.1


class RunningService(BaseModel):
    """A service as `stack.json` lists it."""

    model_config = ConfigDict(frozen=True)

    name: str
    url: str
    health: str
    pid: int
    log: Path


class RunningStack(BaseModel):
    """The part of `stack.json` that is shown."""

    model_config = ConfigDict(frozen=True)

    services: tuple[RunningService, ...]


def show_status(run_dir: Path, terminal: Terminal) -> int:
    """Write a table of services with their health. Return 0 when all are healthy."""
    description = read_stack(run_dir)
    if description is None:
        if is_running(run_dir):
            terminal.line("The stack is starting or stopping.")
        else:
            terminal.line("No stack runs.")
            terminal.line("  start   make run")
        return 1
    try:
        services = RunningStack.model_validate(description).services
    except ValidationError:
        terminal.error("stack.json is damaged: `make stop`, then `make run`.")
        return 1
    verdicts = asyncio.run(_ask_all(services))
    rows = [("service", "health", "where", "pid", "log")]
    for service, reason in zip(services, verdicts, strict=True):
        row = (service.name, reason or "ok", service.url, str(service.pid), shorten(service.log))
        rows.append(row)
    terminal.table(rows)
    return 1 if any(verdicts) else 0


async def _ask_all(services: Sequence[RunningService]) -> list[str | None]:
    return await asyncio.gather(*(verdict(Check(one.health)) for one in services))


def stop_stack(run_dir: Path, terminal: Terminal) -> int:
    """Stop the stack and wait until it is gone. Fine when there is none."""
    if not is_running(run_dir):
        terminal.line("No stack runs.")
        return 0
    for deadline_s, state in (
        (_stop_deadline_s(run_dir), "stopping"),
        (KILLED_WITHIN_S, "killing"),
    ):
        _signal_stack(run_dir)
        began = time.monotonic()
        while is_running(run_dir) and time.monotonic() - began < deadline_s:
            terminal.clock("voicefleet", state, time.monotonic() - began)
            time.sleep(POLL_S)
        if not is_running(run_dir):
            terminal.step("voicefleet", "stopped", time.monotonic() - began)
            return 0
    holder = read_holder(run_dir)
    pid = holder.process.pid if holder else "?"
    terminal.error(f"the stack (pid {pid}) does not stop: `kill -9 {pid}` ends it and all it runs.")
    return 1


def _stop_deadline_s(run_dir: Path) -> float:
    """Return how long the stack's services may take together: calls may go on for a while."""
    match (read_stack(run_dir) or {}).get("stopWithinS"):
        case int(seconds) | float(seconds):
            return seconds + MARGIN_S
    return STOPS_WITHIN_S


def _signal_stack(run_dir: Path) -> None:
    """Send SIGTERM to the stack's process, if it is the one that wrote the lock file."""
    holder = read_holder(run_dir)
    if holder and holder.process.is_alive():
        with suppress(ProcessLookupError):
            os.kill(holder.process.pid, signal.SIGTERM)
