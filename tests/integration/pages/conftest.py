"""The pages on a token server and LiveKit, without agents: a user can only wait here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import BrowserContext

from devstack.talk.audio import Sound
from tests.integration.pages.paper import PaperFleet, paper_fleet
from tests.support.browser import browsing
from tests.support.replicas import Replica, Replicas

_RATE = 48_000


@pytest.fixture
async def server(replicas: Replicas, built_pages: Path) -> Replica:
    """A token server with the pages, and one slot."""
    return await replicas.start(WEB_DIR=str(built_pages))


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    """A second of it, for a microphone."""
    path = tmp_path / "silence.wav"
    Sound(np.zeros(_RATE, np.int16), _RATE).write(path)
    return path


@pytest.fixture
async def browser(chromium: Path, silence: Path) -> AsyncIterator[BrowserContext]:
    """A browser whose user allows the microphone, and says nothing."""
    async with browsing(chromium, microphone=silence) as context:
        yield context


@pytest.fixture
async def paper(replicas: Replicas, built_pages: Path) -> AsyncIterator[PaperFleet]:
    """A fleet with eight slots, and nobody in it yet."""
    async with paper_fleet(replicas, built_pages) as fleet:
        yield fleet


@pytest.fixture
async def wall(chromium: Path) -> AsyncIterator[BrowserContext]:
    """A browser as wide as one on the wall of who runs the fleet."""
    async with browsing(chromium, width=1600) as context:
        yield context
