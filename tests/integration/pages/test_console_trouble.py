"""What is wrong, in the console: with the fleet, with its neighbours, with the way to it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from tests.integration.pages.paper import PaperFleet, paper_fleet
from tests.support.browser import DEADLINE_S, everything_kept
from tests.support.console_page import console_page
from tests.support.gate import gate_before
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

NEW_KEY = "another-admin-key-for-tests-only"
#: Remembers how fresh the page says that it is: some states do not last.
_REMEMBER_FRESHNESS = """
    window.freshness = [];
    const mark = document.querySelector(".live");
    new MutationObserver(() => window.freshness.push(mark.dataset.freshness)).observe(
        mark, { attributes: true });
"""


async def test_what_somebody_ought_to_look_at(paper: PaperFleet, wall: BrowserContext) -> None:
    """1. No worker is there. 2. One is, without a warm process. 3. It has some.

    Result: the first is critical, the second a warning; then all is well. A tab in the background
    tells how many there are.
    """
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        alerts = console.page.locator(".alert")
        await expect(alerts).to_contain_text("Critical No worker is there")
        await expect(console.page).to_have_title("1 alert · Fleet console · Voicefleet")
        await expect(console.page.get_by_text("All is well")).to_have_count(0)
        await console.look("critical")
        await paper.enlist(idle=0)
        await expect(alerts).to_contain_text("Warning No process is warm")
        await console.look("warning")
        await paper.enlist(idle=2)
        await expect(alerts).to_have_text("All is well")
        await expect(console.page).to_have_title("Fleet console · Voicefleet")


async def test_livekit_goes_and_comes_back(
    replicas: Replicas, livekit_server: LiveKitServer, built_pages: Path, wall: BrowserContext
) -> None:
    """Its breaker opens, first of all, and is an alert; once it is back both are as before."""
    async with gate_before(livekit_server.port) as gate:
        livekit = {
            "LIVEKIT_URL": f"ws://127.0.0.1:{gate.port}",
            "LIVEKIT_BREAKER_OPEN_S": "1",
            # So that LiveKit is asked all the time, without anybody's calls.
            "UNSERVED_INTERVAL_S": "0.2",
        }
        async with paper_fleet(replicas, built_pages, **livekit) as fleet:
            await fleet.enlist()
            async with console_page(wall, fleet.url, ADMIN_KEY) as console:
                breakers = console.page.locator(".breaker")
                await expect(breakers).to_have_text(["Redisclosed", "LiveKitclosed"])
                await gate.shut()
                await expect(breakers.first).to_have_text(re.compile("LiveKit(open|trying)"))
                await expect(console.page.locator(".alert")).to_contain_text(
                    "LiveKit did not answer"
                )
                await gate.open()
                await expect(breakers).to_have_text(["Redisclosed", "LiveKitclosed"])
                await expect(console.page.get_by_text("All is well")).to_be_visible()


async def test_the_server_goes_and_comes_back(paper: PaperFleet, wall: BrowserContext) -> None:
    """What was known stays to be read, and is not taken for what is so now."""
    await paper.enlist()
    session_id = await paper.talk()
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await expect(console.page.get_by_text("All is well")).to_be_visible()
        await paper.server.kill()
        mark = console.page.locator(".live")
        await expect(mark).to_contain_text(re.compile(r"No data since .*, next try in \d+ s"))
        await expect(console.page).to_have_title("No data · Fleet console · Voicefleet")
        await expect(console.page.get_by_role("status")).to_contain_text("out of date")
        # Known no more, though the figures of before are there still.
        await expect(console.page.get_by_text("All is well")).to_have_count(0)
        await expect(console.page.locator(".overview")).to_have_attribute("data-stale", "true")
        await expect(console.row(session_id)).to_contain_text("active")
        await paper.server.start()
        await expect(mark).to_contain_text("Live")
        await expect(console.page.get_by_text("All is well")).to_be_visible()
        await expect(console.page.get_by_role("status")).to_contain_text("answers again")


async def test_a_server_that_hangs_is_told_of_before_it_is_given_up(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """A wall that waits for an answer does not look as if it had one."""
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await console.page.evaluate(_REMEMBER_FRESHNESS)
        paper.server.signal(signal.SIGSTOP)
        try:

            async def is_late() -> bool:
                return "late" in await console.page.evaluate("window.freshness")

            await eventually(is_late, DEADLINE_S, interval_s=0.2)
        finally:
            paper.server.signal(signal.SIGCONT)
        await expect(console.page.locator(".live")).to_contain_text("Live")


async def test_a_key_that_is_replaced_opens_nothing_any_more(
    replicas: Replicas, paper: PaperFleet, wall: BrowserContext
) -> None:
    """1. Somebody is signed in. 2. The server is started again with another admin key.

    Result: the page has no figure any more, says why, and lets in who has the new key.
    """
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await paper.server.kill()
        changed = {**paper.server.env, "ADMIN_API_KEY": NEW_KEY}
        await replicas.start(paper.server.port, **changed)
        denial = console.page.get_by_text("The server no longer accepts this admin key")
        await expect(denial).to_be_visible()
        await expect(console.page.get_by_role("heading", name="Workers")).to_have_count(0)
        await console.look("denied-later")
        await console.sign_in(NEW_KEY)
        for key in (ADMIN_KEY, NEW_KEY):
            assert key not in await everything_kept(console.page)
            assert key not in console.page.url
