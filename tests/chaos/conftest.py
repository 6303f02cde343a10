"""A stage for each module, and a story for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.chaos.stage import Stage, standing_stage
from tests.chaos.story import Story, told_on


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A fleet that the stories of a module share."""
    with standing_stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
async def story(stage: Stage) -> AsyncIterator[Story]:
    """One story; what it broke is mended afterwards."""
    async with told_on(stage) as story:
        yield story
