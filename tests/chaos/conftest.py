"""A stage for each module, a story for each test, and the table of what all of them found.

python -m pytest tests/chaos --chaos-json chaos.json --isolation process
"""

from __future__ import annotations

import gc
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from tests.chaos.ledger import Ledger
from tests.chaos.services import Differences
from tests.chaos.stage import Stage, standing_stage
from tests.chaos.story import Story, told_on
from worker.settings import Isolation, WorkerSettings

_LEDGER = pytest.StashKey[Ledger]()
_OPTION = "--chaos-json"
_KIND = "--isolation"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where the table is to be written, too."""
    parser.addoption(_OPTION, type=Path, metavar="FILE", help="write the table of chaos there, too")
    kinds = [kind.value for kind in Isolation]
    usual = WorkerSettings.model_fields["isolation"].default.value
    parser.addoption(_KIND, choices=kinds, default=usual, help=f"of chaos's workers ({usual})")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the ledger."""
    config.stash[_LEDGER] = Ledger()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Bear with attempts that were given up while a neighbour was away.

    asyncio leaves their transports to the garbage collector (seen with CPython 3.11).
    """
    item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what the stories found."""
    found = config.stash[_LEDGER]
    if not found.entries:
        return
    shown = io.StringIO()
    found.show(shown)
    terminalreporter.write_line(shown.getvalue())
    if path := config.getoption(_OPTION, default=None):
        found.save(path)


@pytest.fixture
def ledger(pytestconfig: pytest.Config) -> Ledger:
    """Where stories write what they found."""
    return pytestconfig.stash[_LEDGER]


@pytest.fixture(scope="module")
def kind(pytestconfig: pytest.Config) -> Mapping[str, str]:
    """What calls share a process, where no story says so itself."""
    return {"ISOLATION": pytestconfig.getoption(_KIND)}


@pytest.fixture(scope="module")
def differences(kind: Mapping[str, str]) -> Differences:
    """What is not as usual with the fleet of a module."""
    return Differences(of_workers=kind)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, differences: Differences) -> Iterator[Stage]:
    """A fleet that the stories of a module share."""
    with standing_stage(tmp_path_factory.mktemp("stage"), differences) as stage:
        yield stage


@pytest.fixture
async def story(stage: Stage, ledger: Ledger) -> AsyncIterator[Story]:
    """One story. What it broke is mended afterwards; nothing must be left, or have been wrong."""
    async with told_on(stage, ledger) as story:
        yield story
    # Here, where it may find what it does, and not in whichever test comes next.
    gc.collect()
    assert story.watcher.violations == [], "\n".join(map(str, story.watcher.violations))
