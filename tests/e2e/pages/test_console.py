"""The fleet console on a fleet with a call in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import BrowserContext, expect

from tests.e2e.calls import Call, call
from tests.support.browser import DEADLINE_S, browsing, everything_kept
from tests.support.console_page import ConsolePage, console_page
from tests.support.servers import RunningStack
from tests.support.wait import eventually
from voicefleet_client import Admin
from worker.settings import WorkerSettings

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("built_pages")]


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[BrowserContext]:
    async with browsing(chromium, width=1600) as context:
        yield context


@pytest.fixture
async def admin(stack: RunningStack) -> AsyncIterator[Admin]:
    async with Admin(stack.api_url, admin_key=stack.admin_key) as admin:
        yield admin


async def test_only_the_key_opens_it(stack: RunningStack, browser: BrowserContext) -> None:
    """A wrong key is refused in words. The right one is nowhere but in memory: not in the address,
    not in what the browser keeps, and gone when the page is loaded again.
    """
    async with console_page(browser, stack.api_url) as console:
        page = console.page
        await page.get_by_label("Admin key").fill("a-key-that-opens-nothing")
        await console.press("Sign in")
        await expect(page.get_by_text("The server does not accept this key")).to_be_visible()
        await console.look("wrong-key")
        await console.sign_in(stack.admin_key)
        assert stack.admin_key not in page.url
        assert stack.admin_key not in await everything_kept(page)
        await page.reload()
        await expect(page.get_by_label("Admin key")).to_be_visible()


async def test_a_worker_is_drained_and_resumed(
    stack: RunningStack, browser: BrowserContext, admin: Admin
) -> None:
    (worker,) = (await admin.fleet())["workers"]
    async with console_page(browser, stack.api_url, stack.admin_key) as console:
        try:
            await console.press(f"Drain {worker['id']}")
            await console.press("Drain", console.dialog)
            await _until(admin, lambda fleet: fleet["workers"][0]["draining"])
            await console.press(f"Resume {worker['id']}")
            await console.press("Resume", console.dialog)
            await _until(admin, lambda fleet: not fleet["workers"][0]["draining"])
        finally:
            await admin.drain(worker["id"], draining=False)


async def test_the_pool_is_resized(
    stack: RunningStack, browser: BrowserContext, admin: Admin
) -> None:
    """1. The target is one more than is warm. 2. There is none any more.

    Result: the worker keeps as many; then as many as its own settings say.
    """
    usual: int = WorkerSettings.model_fields["pool_size"].default
    # Other tests' traffic may ask for more, until an hour after it.
    tuning = (await admin.fleet())["pool"]["tuning"]
    usual = max(usual, tuning["size"] if tuning else 0)
    await _until(admin, lambda fleet: fleet["pool"]["actual"] == usual)
    async with console_page(browser, stack.api_url, stack.admin_key) as console:
        try:
            await console.page.get_by_label("Processes to keep warm").fill(str(usual + 1))
            await console.press("Apply")
            await _until(admin, lambda fleet: fleet["pool"]["actual"] == usual + 1)
            await expect(console.fact("Target", console.page.locator(".pool"))).to_have_text(
                str(usual + 1)
            )
            await console.press("No target")
            await console.press("No target", console.dialog)
            await _until(admin, lambda fleet: fleet["pool"]["actual"] == usual)
        finally:
            await admin.resize_pool(None)


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
        looks = browsing(chromium, width=width, scheme=scheme)
        key = stack.admin_key
        async with looks as browser, console_page(browser, stack.api_url, key) as console:
            # Not that all is well: on a busy machine starts are slow, which is told.
            await expect(console.row(user.session["sessionId"])).to_contain_text("active")
            await console.look(f"{scheme}-{width}")
            await _look_into(console, user)
            await console.look(f"session-{scheme}-{width}")


async def _look_into(console: ConsolePage, user: Call) -> None:
    await console.open_session(user.session["sessionId"])
    for tab, content in (("Transcript", "plus"), ("Logs", "info"), ("Timeline", "greeting began")):
        await console.show(tab)
        await expect(console.panel).to_contain_text(content)


async def test_a_session_is_stopped(
    stack: RunningStack, browser: BrowserContext, admin: Admin
) -> None:
    async with call(stack) as user:
        session_id = user.session["sessionId"]
        place, key = f"#session/{session_id}", stack.admin_key
        async with console_page(browser, stack.api_url, key, place) as console:
            worker_id = (await admin.session(session_id))["workerId"]
            await expect(console.fact("Worker")).to_have_text(worker_id)
            await console.press("Stop session")
            await console.press("Stop session", console.dialog)
            await user.until_status("ended")
            await expect(console.page.get_by_text("The session is stopped").first).to_be_attached()


async def _until(admin: Admin, is_so: Callable[[dict[str, Any]], bool]) -> None:
    async def holds() -> bool:
        return is_so(await admin.fleet())

    await eventually(holds, DEADLINE_S, interval_s=0.2)
