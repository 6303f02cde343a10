"""What the call page makes of a no: whose fault it is, what to do, and when to try again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.browser import browsing, serious_findings, take_picture
from tests.support.call_page import call_page
from tests.support.replicas import Replica, Replicas
from voicefleet_client import Voicefleet

pytestmark = pytest.mark.timeout(300)


async def test_over_capacity(
    replicas: Replicas, built_pages: Path, browser: BrowserContext
) -> None:
    server = await replicas.start(WEB_DIR=str(built_pages), QUEUE_LIMIT="0")
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        await fleet.start()
        await user.press("Start talking")
        assert "All agents are busy" in await user.until_trouble("at-capacity")
        again = user.page.locator(".note button")
        await expect(again).to_have_text(re.compile(r"Try again in \d+ s"))
        await expect(again).to_be_disabled()


async def test_too_often(replicas: Replicas, built_pages: Path, browser: BrowserContext) -> None:
    """The button tells how long it cannot be pressed, and cannot be pressed."""
    server = await replicas.start(WEB_DIR=str(built_pages), START_LIMIT_PER_MINUTE="1")
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        await (await fleet.start()).stop()
        await user.press("Start talking")
        assert "Too many calls from you" in await user.until_trouble("rate-limited")
        again = user.page.locator(".note button")
        await expect(again).to_be_disabled()
        first = await again.inner_text()
        assert first.startswith("Try again in ")
        await take_picture(user.page, "call-rate-limited")
        await expect(again).not_to_have_text(first)  # it counts
        assert await serious_findings(user.page) == []


async def test_without_a_microphone_the_user_can_still_write(
    server: Replica, chromium: Path
) -> None:
    async with browsing(chromium) as browser, call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        words = await user.until_trouble("microphone-denied")
        assert "write to the agent" in words
        await take_picture(user.page, "call-without-microphone")
        await expect(user.page.get_by_label("Write to the agent")).to_be_visible()
        button = user.page.locator("[data-microphone]")
        await expect(button).to_have_attribute("data-microphone", "off")
        assert await serious_findings(user.page) == []


async def test_the_server_goes_before_the_call(server: Replica, browser: BrowserContext) -> None:
    async with call_page(browser, server.url) as user:
        await server.kill()
        await user.press("Start talking")
        assert "The server does not answer" in await user.until_trouble("unreachable")
        await server.start()
        await user.press("Try again")
        await user.until_phase("waiting")


async def test_the_same_call_goes_on_once_the_server_is_back(
    server: Replica, browser: BrowserContext
) -> None:
    """1. A user is in a room. 2. The page is loaded again just when the API is away, and says so.
    3. It is back, and the user tries again.

    Result: it is the call that there was, not another one.
    """
    async with call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        kept = await user.page.evaluate("sessionStorage.getItem('voicefleet.call')")
        # The page itself is there, as from a cache.
        await user.page.route("**/api/**", lambda route: route.abort())
        await user.page.reload()
        await user.until_trouble("unreachable")
        await user.page.unroute("**/api/**")
        await user.press("Try again")
        await user.until_phase("waiting")
        assert await user.page.evaluate("sessionStorage.getItem('voicefleet.call')") == kept


async def test_the_media_server_cannot_be_reached(
    replicas: Replicas, built_pages: Path, browser: BrowserContext
) -> None:
    """The API gives an address where nobody listens: the page tells that it is the sound's way."""
    nowhere = "ws://127.0.0.1:9"
    server = await replicas.start(WEB_DIR=str(built_pages), LIVEKIT_PUBLIC_URL=nowhere)
    async with call_page(browser, server.url) as user:
        await user.press("Start talking")
        assert "firewall" in await user.until_trouble("media-unreachable")
        assert await serious_findings(user.page) == []


async def test_a_call_taken_over_by_another_tab(server: Replica, browser: BrowserContext) -> None:
    async with call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        kept = await user.page.evaluate("sessionStorage.getItem('voicefleet.call')")
        async with call_page(browser, server.url) as other:
            await other.page.evaluate(
                "(kept) => sessionStorage.setItem('voicefleet.call', kept)", kept
            )
            await other.page.reload()
            await other.until_phase("waiting")
            await user.until_trouble("taken-over")
            assert await serious_findings(user.page) == []
