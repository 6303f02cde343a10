"""What all tests share: a marker per folder, and the servers' logs with each failure."""

from __future__ import annotations

import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.logs import log_tails

pytest_plugins = [
    "tests.support.attacks",
    "tests.support.crew",
    "tests.support.pages",
    "tests.support.servers",
    "tests.support.replicas",
    "tests.support.stores",
    "tests.support.web",
]

TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, also where a shell runs them in the background: it has them
    ignore SIGINT, which processes inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test by the folder of its tier: unit, integration, e2e …"""
    tier = item.path.relative_to(TESTS).parts[0]
    item.add_marker(tier)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last lines of its servers' logs to the report of a failed test."""
    report = yield
    if report.failed:
        report.sections += log_tails(item)
    return report
