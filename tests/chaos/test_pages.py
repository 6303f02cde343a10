"""The call page while its media server is restarted."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from devstack.talk.audio import Sound
from tests.chaos.services import Differences
from tests.chaos.story import Story
from tests.support.browser import browsing
from tests.support.call_page import call_page

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def differences(kind: Mapping[str, str], built_pages: Path) -> Differences:
    """A fleet whose token servers have the pages."""
    return Differences(of_workers=kind, of_servers={"WEB_DIR": str(built_pages)})


async def test_livekit_killed(story: Story, chromium: Path, tmp_path: Path) -> None:
    """1. A user talks with an agent, by the call page. 2. livekit-server is killed, and started
    again.

    Result: the page says that the connection is lost; then there is an agent again.
    """
    await _lose_and_find_again(story, chromium, tmp_path, is_server_killed=False)


async def test_livekit_and_the_token_server_killed(
    story: Story, chromium: Path, tmp_path: Path
) -> None:
    """1. A user talks with an agent, by the call page. 2. livekit-server and the token server that
    the page came from are killed, as when their machine dies, and started again.

    Result: as above: nobody has to load the page again.
    """
    await _lose_and_find_again(story, chromium, tmp_path, is_server_killed=True)


async def _lose_and_find_again(
    story: Story, chromium: Path, tmp_path: Path, *, is_server_killed: bool
) -> None:
    story.watcher.expect_losses()
    story.watcher.limits.recovering_s = 60.0
    silence = tmp_path / "silence.wav"
    Sound(np.zeros(48_000, np.int16), 48_000).write(silence)
    looks = browsing(chromium, microphone=silence)
    server = story.stage.servers[0]
    async with looks as browser, call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_talking()
        if is_server_killed:
            await server.kill()
        await story.stage.restart_livekit(signal.SIGKILL)
        await user.until_phase("reconnecting")
        if is_server_killed:
            await server.start()
        await user.until_talking()
        await user.press("End call")
        await user.until_phase("over")
