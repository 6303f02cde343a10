"""The fleet console on a fleet with a call in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.calls import Call, call
from tests.support.browser import (
    DEADLINE_S,
    browsing,
    everything_kept,
    serious_findings,
    take_picture,
)
from tests.support.servers import RunningStack
from tests.support.wait import eventually
from voicefleet_client import Admin

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("built_pages")]


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[BrowserContext]:
    async with browsing(chromium, width=1600) as context:
        yield context


@pytest.fixture
async def admin(stack: RunningStack) -> AsyncIterator[Admin]:
    async with Admin(stack.api_url, admin_key=stack.admin_key) as admin:
        yield admin


async def _signed_in(stack: RunningStack, browser: BrowserContext, place: str = "") -> Page:
    page = await browser.new_page()
    await page.goto(f"{stack.api_url}/console{place}")
    await page.get_by_label("Admin key").fill(stack.admin_key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    return page


async def test_only_the_key_opens_it(stack: RunningStack, browser: BrowserContext) -> None:
    """A wrong key is refused in words. The right one is nowhere but in memory: not in the address,
    not in what the browser keeps, and gone when the page is loaded again.
    """
    page = await browser.new_page()
    await page.goto(f"{stack.api_url}/console")
    await page.get_by_label("Admin key").fill("a-key-that-opens-nothing")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("The server does not accept this key")).to_be_visible()
    assert await serious_findings(page) == []
    await page.get_by_label("Admin key").fill(stack.admin_key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    assert stack.admin_key not in page.url
    assert stack.admin_key not in await everything_kept(page)
    await page.reload()
    await expect(page.get_by_label("Admin key")).to_be_visible()


async def test_a_worker_is_drained_and_resumed(
    stack: RunningStack, browser: BrowserContext, admin: Admin
) -> None:
    page = await _signed_in(stack, browser)
    try:
        await page.get_by_role("button", name="Drain").first.click()
        await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
        await _until(admin, lambda fleet: fleet["workers"][0]["draining"])
        await page.get_by_role("button", name="Resume").first.click()
        await page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        await _until(admin, lambda fleet: not fleet["workers"][0]["draining"])
    finally:
        (worker,) = (await admin.fleet())["workers"]
        await admin.drain(worker["id"], draining=False)


async def test_the_pool_is_resized(
    stack: RunningStack, browser: BrowserContext, admin: Admin
) -> None:
    before = (await admin.fleet())["pool"]
    usual = before["target"] or before["actual"]
    page = await _signed_in(stack, browser)
    try:
        await page.get_by_label("Processes to keep warm").fill(str(usual + 1))
        await page.get_by_role("button", name="Apply").click()
        await _until(admin, lambda fleet: fleet["pool"]["target"] == usual + 1)
        await expect(page.get_by_text(f"The pool's target is {usual + 1}").first).to_be_attached()
    finally:
        await admin.resize_pool(usual)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 390], ids=["wall", "phone"])
async def test_a_session_is_looked_at(
    stack: RunningStack, chromium: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """1. A user talks. 2. The console shows the call among the others, and opens it.

    Result: its timeline, words and log are there; nothing is in anybody's way, nothing is cut off.
    """
    async with call(stack) as user:
        assert "12" in await user.ask("What is seven plus five?", "12")
        async with browsing(chromium, width=width, scheme=scheme) as browser:
            page = await _signed_in(stack, browser)
            await expect(page.get_by_text("All is well")).to_be_visible()
            await take_picture(page, f"console-{scheme}-{width}")
            assert await serious_findings(page) == []
            await _look_into(page, user)
            await take_picture(page, f"console-session-{scheme}-{width}")
            assert await serious_findings(page) == []
            assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def _look_into(page: Page, user: Call) -> None:
    session_id = user.session["sessionId"]
    await page.get_by_role("button", name=f"Open session {session_id[:8]}").click()
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Transcript").click()
    await expect(panel).to_contain_text("plus")
    await panel.get_by_role("tab", name="Logs").click()
    await expect(panel).to_contain_text("info")
    await panel.get_by_role("tab", name="Timeline").click()
    await expect(panel).to_contain_text("greeting began")


async def test_a_session_is_stopped(stack: RunningStack, browser: BrowserContext) -> None:
    async with call(stack) as user:
        session_id = user.session["sessionId"]
        page = await _signed_in(stack, browser, f"#session/{session_id}")
        async with Admin(stack.api_url, admin_key=stack.admin_key) as admin:
            worker_id = (await admin.session(session_id))["workerId"]
        await expect(page.get_by_role("complementary")).to_contain_text(worker_id)
        await page.get_by_role("button", name="Stop session").click()
        await page.get_by_role("dialog").get_by_role("button", name="Stop session").click()
        await user.until_status("ended")
        await expect(page.get_by_text("The session is stopped").first).to_be_attached()


async def _until(admin: Admin, is_so: Callable[[dict[str, Any]], bool]) -> None:
    async def holds() -> bool:
        return is_so(await admin.fleet())

    await eventually(holds, DEADLINE_S, interval_s=0.2)
