"""The call page while there is no agent yet: in line, on its way, in a room without one."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.browser import serious_findings, take_picture
from tests.support.call_page import call_page
from tests.support.replicas import ADMIN_KEY, Replica, Replicas
from tests.support.wait import eventually
from voicefleet_client import Admin, Voicefleet

pytestmark = pytest.mark.timeout(300)


async def test_a_user_waits_in_line_and_is_let_in(server: Replica, browser: BrowserContext) -> None:
    """1. Somebody has the only slot. 2. A user starts, and is told the place. 3. The slot is freed.

    Result: the page connects by itself, and waits for the agent in the room.
    """
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        other = await fleet.start()
        await user.press("Start talking")
        await user.until_phase("queued")
        place = user.page.locator("[data-queue]")
        await expect(place).to_contain_text("You are next.")
        await expect(place).to_contain_text("The waiting time is not known yet.")
        assert "You are next." in await user.spoken()
        await other.stop()
        await user.until_phase("waiting")
        assert "queued" in await user.phases()
        assert user.faults == []


async def test_the_place_and_the_time_change_as_others_go(
    server: Replica, browser: BrowserContext
) -> None:
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        await (await fleet.start()).stop()  # so that it is known how long a session lasts
        talking, waiting = await fleet.start(), await fleet.start()
        await user.press("Start talking")
        place = user.page.locator("[data-queue]")
        await expect(place).to_contain_text("You are number 2 in line.")
        await expect(place).to_contain_text("It is your turn in a moment.")
        await take_picture(user.page, "call-queued")
        assert await serious_findings(user.page) == []
        await waiting.stop()
        await expect(place).to_contain_text("You are next.")
        await talking.stop()
        await user.until_phase("waiting")


async def test_the_time_to_wait_is_counted_down(server: Replica, browser: BrowserContext) -> None:
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        first = await fleet.start()
        # So long sessions last, as far as the server can know.
        await asyncio.sleep(8)
        await first.stop()
        await fleet.start()
        await user.press("Start talking")
        eta = user.page.locator("[data-queue] p").nth(1)
        await expect(eta).to_have_text(re.compile(r"About \d+ s to go\."))
        seconds = int(re.findall(r"\d+", await eta.inner_text())[0])
        await expect(eta).to_have_text(f"About {seconds - 2} s to go.")


async def test_who_leaves_the_line_gives_up_the_place(
    server: Replica, browser: BrowserContext
) -> None:
    admin = Admin(server.url, admin_key=ADMIN_KEY)
    async with Voicefleet(server.url) as fleet, admin, call_page(browser, server.url) as user:
        await fleet.start()
        await user.press("Start talking")
        await user.until_phase("queued")
        await user.press("Leave the line")
        await user.until_phase("over")

        async def nobody_is_in_line() -> bool:
            return bool((await admin.fleet())["sessions"]["queued"] == 0)

        # The page shows that the call is over before it has told the API.
        await eventually(nobody_is_in_line)


async def test_a_page_in_line_that_is_loaded_again_keeps_its_place(
    server: Replica, browser: BrowserContext
) -> None:
    async with Voicefleet(server.url) as fleet, call_page(browser, server.url) as user:
        other = await fleet.start()
        await user.press("Start talking")
        await user.until_phase("queued")
        await user.page.reload()
        await user.until_phase("queued")
        await expect(user.page.locator("[data-queue]")).to_contain_text("You are next.")
        await other.stop()
        await user.until_phase("waiting")


async def test_an_agent_that_never_comes_is_told_of(
    replicas: Replicas, server: Replica, browser: BrowserContext
) -> None:
    """1. A user starts where no worker is. 2. The fleet gives up.

    Result: the page says that it waits; then that none could take the call, whose fault that is,
    and offers to try again.
    """
    url = (await replicas.start(**_impatient(server))).url
    async with call_page(browser, url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        words = await user.until_trouble("session-failed")
        assert "our fault" in words
        await take_picture(user.page, "call-failed")
        await expect(user.page.get_by_role("button", name="Try again")).to_be_enabled()
        assert await serious_findings(user.page) == []


def _impatient(server: Replica) -> dict[str, str]:
    """Return what makes a server give up soon."""
    return {
        "WEB_DIR": server.env["WEB_DIR"],
        "CLAIM_DEADLINE_S": "3",
        "START_LEASE_S": "12",
        "REDISPATCH_LIMIT": "1",
    }
