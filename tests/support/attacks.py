"""Counts the attacks that a run of the tests tries: their docstrings begin with "Attack N:"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

_NUMBER = re.compile(r"Attacks? (\d+)\b")

_tried: list[int] = []


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Note which attacks are among the tests that were chosen."""
    for item in items:
        text = getattr(getattr(item, "function", None), "__doc__", None) or ""
        if found := _NUMBER.match(text):
            _tried.append(int(found[1]))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist has no types
    """Take over what a worker has noted: with workers, this process chooses no tests."""
    _tried[:] = getattr(node, "workeroutput", {}).get("attacks", _tried)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that gave this worker its tests. All workers have chosen the same ones."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["attacks"] = _tried


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many there were."""
    if _tried:
        terminalreporter.write_line(
            f"attacks: {len(set(_tried))} of 40 tried, by {len(_tried)} tests (docs/security.md)"
        )
