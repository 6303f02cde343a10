"""The logs of running servers, for the reports of failed tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.logs import tail
from devstack.services.stack import Stack

LINES = 40

_LOGS: dict[str, list[Path]] = {}


def register_logs(fixture: str, stack: Stack) -> None:
    """Have the services' logs shown with failed tests that use `fixture`."""
    _LOGS[fixture] = [service.command.log for service in stack.services]


def add_log(fixture: str, log: Path) -> None:
    """Have one more log shown with failed tests that use `fixture`, until `forget_logs`."""
    _LOGS.setdefault(fixture, []).append(log)


def forget_logs(fixture: str) -> None:
    """Show no logs of a fixture that begins anew."""
    _LOGS.pop(fixture, None)


def log_tails(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Yield (title, last lines) for each server that a test uses."""
    for fixture in getattr(item, "fixturenames", ()):
        for log in _LOGS.get(fixture, ()):
            yield f"{fixture}: {log.name}", tail(log, LINES)
