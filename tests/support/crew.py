"""Tests in several processes at once: pytest-xdist's workers, each with servers of its own."""

from __future__ import annotations

import os
import re

import pytest

from devstack.services import ports
from devstack.settings import REPO, process_environment

#: Each has a token server, speech models and two LiveKit servers at times.
AT_MOST = 6
#: Its tests start workers, most of them one each.
_SLOW = REPO / "tests" / "integration" / "worker"
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


def pytest_configure() -> None:
    """Give each worker ports that no other one looks for.

    Two programs that look for a free port at the same moment would find the same one now and then.
    """
    env = process_environment()
    if worker := env.get("PYTEST_XDIST_WORKER"):
        ports.FREE_RANGE = share_of(worker, int(env["PYTEST_XDIST_WORKER_COUNT"]), ports.FREE_RANGE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process has that to itself at the end.

    Refuses names that differ from process to process, as tests are handed out by name.
    """
    items.sort(key=lambda item: not item.path.is_relative_to(_SLOW))
    if unlike := [item.nodeid for item in items if _ADDRESS.search(item.nodeid)]:
        raise pytest.UsageError(f"the name of a test shows an address in memory: {unlike[0]}")


def share_of(worker: str, count: int, all_of_them: range) -> range:
    """Return the ports of a worker; `gw7` of three has taken the place of one that crashed."""
    return all_of_them[int(worker.removeprefix("gw")) % count :: count]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers `-n auto` means: one more than cores, as most tests wait."""
    return min(len(os.sched_getaffinity(0)) + 1, AT_MOST)
