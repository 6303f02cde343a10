"""What holds for every page: nothing from elsewhere, nothing in anybody's way, not too much."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.browser import browsing, serious_findings, take_picture
from tests.support.call_page import call_page
from tests.support.replicas import Replica

pytestmark = pytest.mark.timeout(300)

_WATCH_BARS = """() => {
    window.moved = 0;
    new MutationObserver((changes) => { window.moved += changes.length; })
        .observe(document.querySelector(".lk-audio-bar-visualizer"),
            { subtree: true, attributes: true, childList: true });
}"""
#: For the call page, as a browser fetches it.
MOST_BYTES = 350 * 1024


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
async def test_a_call_from_start_to_end(
    server: Replica, chromium: Path, silence: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """In both colours and at both sizes: no serious finding, nothing cut off, no complaint of the
    browser's, no request to anybody but the fleet.
    """
    looks = browsing(chromium, microphone=silence, width=width, scheme=scheme)
    async with looks as browser, call_page(browser, server.url) as user:
        await take_picture(user.page, f"call-idle-{scheme}-{width}")
        assert await serious_findings(user.page) == []
        await user.press("Start talking")
        await user.until_phase("waiting")
        await user.page.get_by_text("Session details").click()
        await take_picture(user.page, f"call-waiting-{scheme}-{width}")
        assert await serious_findings(user.page) == []
        is_wide = await user.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not is_wide
        await user.press("End call")
        await user.until_phase("over")
        await take_picture(user.page, f"call-over-{scheme}-{width}")
        assert await serious_findings(user.page) == []
        assert {urlsplit(url).hostname for url in user.requests} == {"127.0.0.1"}
        # There is no agent here that would take it.
        assert user.faults == []


async def test_the_keyboard_is_enough(server: Replica, chromium: Path, silence: Path) -> None:
    looks = browsing(chromium, microphone=silence)
    async with looks as browser, call_page(browser, server.url) as user:
        focused = user.page.locator(":focus")
        for _ in range(10):
            await user.page.keyboard.press("Tab")
            if await focused.inner_text() == "Start talking":
                break
        await user.page.keyboard.press("Enter")
        await user.until_phase("waiting")
        end = user.page.get_by_role("button", name="End call")
        for _ in range(20):
            await user.page.keyboard.press("Tab")
            if await focused.inner_text() == "End call":
                break
        await expect(end).to_be_focused()
        await user.page.keyboard.press("Enter")
        await user.until_phase("over")
        # Where the page changes, the focus goes along: else it would begin at the top again.
        assert await focused.inner_text() == "The call is over"


async def test_the_colours_are_the_users_choice(server: Replica, browser: BrowserContext) -> None:
    async with call_page(browser, server.url) as user:
        page = user.page.locator(".page")
        await expect(page).to_have_attribute("data-theme", "light")
        await user.page.get_by_label("Colours").select_option(label="Dark")
        await expect(page).to_have_attribute("data-theme", "dark")
        await user.page.reload()
        await expect(page).to_have_attribute("data-theme", "dark")


async def test_who_wants_no_motion_has_none(server: Replica, chromium: Path, silence: Path) -> None:
    """LiveKit's bars are moved by script; here they stand still, as everything else does."""
    looks = browsing(chromium, microphone=silence, is_still=True)
    async with looks as browser, call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        assert await user.page.locator(".lk-audio-bar").count() > 0
        await user.page.evaluate(_WATCH_BARS)
        # As long as LiveKit's animation would take for several steps.
        await asyncio.sleep(2)
        assert await user.page.evaluate("window.moved") == 0
        assert await user.page.evaluate("document.getAnimations().length") == 0


def test_the_call_page_is_not_large(built_pages: Path) -> None:
    """Page, scripts and styles as they are sent, compressed."""
    html = (built_pages / "index.html").read_text(encoding="utf-8")
    files = [path for path in (built_pages / "assets").iterdir() if path.name in html]
    assert {path.suffix for path in files} == {".js", ".css"}
    fetched = [built_pages / "index.html", *files]
    assert sum(len(gzip.compress(path.read_bytes())) for path in fetched) <= MOST_BYTES
