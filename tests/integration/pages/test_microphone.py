"""The call page's microphone: what hinders it, when that is told, muting, choosing another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.browser import DEADLINE_S, browsing, serious_findings, take_picture
from tests.support.call_page import CallPage, call_page
from tests.support.replicas import Replica
from tests.support.wait import eventually
from voicefleet_client import Voicefleet

pytestmark = pytest.mark.timeout(300)

#: A browser that answers as it does without a microphone, or when another program has it.
_ANSWERS = """navigator.mediaDevices.getUserMedia =
    async () => { throw new DOMException("as the browser says it", "%s"); };"""
_COUNTS = """
    window.asked = 0;
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => { window.asked += 1; return ask(wanted); };
"""
_VALUES = "(all) => all.map((one) => one.value)"
#: Of the sound that the page sends: whether there is any, and of which device.
_SENT = """() => window.connections.flatMap((one) => one.getSenders())
    .map(({ track }) => track)
    .filter((track) => track?.kind === "audio" && track.readyState === "live")
    .map((track) => [track.enabled, track.getSettings().deviceId])"""


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        ("NotFoundError", "microphone-missing", "No microphone found"),
        ("NotReadableError", "microphone-busy", "in use elsewhere"),
        ("AbortError", "microphone-failed", "could not be opened"),
    ],
)
async def test_what_hinders_it_is_told(
    server: Replica, chromium: Path, answer: str, kind: str, says: str
) -> None:
    async with browsing(chromium) as browser:
        await browser.add_init_script(_ANSWERS % answer)
        async with call_page(browser, server.url) as user:
            await user.press("Start talking")
            assert says in await user.until_trouble(kind)
            await user.until_phase("waiting")
            await expect(user.page.get_by_label("Write to the agent")).to_be_visible()
            assert await serious_findings(user.page) == []


async def test_a_page_without_https_says_what_it_lacks(server: Replica, chromium: Path) -> None:
    """Browsers give pages of http no microphone, but for those of the machine itself."""
    host = f"http://voicefleet.example:{server.port}"
    looks = browsing(chromium, resolves="voicefleet.example")
    async with looks as browser, call_page(browser, host) as user:
        await user.press("Start talking")
        assert "over https" in await user.until_trouble("microphone-insecure")


async def test_who_waits_in_line_is_told_at_once_and_asked_once(
    server: Replica, chromium: Path
) -> None:
    """1. Somebody has the only slot. 2. A user starts, and says no to the microphone. 3. The slot
    is freed.

    Result: the page says so while they wait, when something can still be done about it. At the door
    the browser does not ask again by itself.
    """
    async with Voicefleet(server.url) as fleet, browsing(chromium) as browser:
        await browser.add_init_script(_COUNTS)
        other = await fleet.start()
        async with call_page(browser, server.url) as user:
            await user.press("Start talking")
            await user.until_phase("queued")
            assert "blocked" in await user.until_trouble("microphone-denied")
            await take_picture(user.page, "call-queued-without-microphone")
            assert await serious_findings(user.page) == []
            await other.stop()
            await user.until_phase("waiting")
            assert await user.page.evaluate("window.asked") == 1
            await user.press("Try again")
            await user.until_true("window.asked === 2")


async def test_a_muted_microphone_sends_nothing_and_stays_muted(
    server: Replica, browser: BrowserContext
) -> None:
    async with call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        await _until_sent(user, is_on=True)
        await user.press("Mute microphone")
        await _until_sent(user, is_on=False)

        await user.page.reload()
        await user.until_phase("waiting")
        button = user.page.locator("[data-microphone]")
        await expect(button).not_to_have_attribute("data-microphone", "on")
        await _until_sent(user, is_on=False)
        await (
            user.page.get_by_role("button", name="Use microphone")
            .or_(user.page.get_by_role("button", name="Unmute microphone"))
            .click()
        )
        await _until_sent(user, is_on=True)


async def test_another_microphone_is_used_and_remembered(
    server: Replica, browser: BrowserContext
) -> None:
    async with call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        await _until_sent(user, is_on=True)
        await user.page.locator("summary[aria-label='Sound settings']").click()
        choice = user.page.locator(".sound-fields select").first
        used = await choice.input_value()
        offered = await choice.locator("option").evaluate_all(_VALUES)
        another = next(one for one in offered if one not in (used, "default"))
        await take_picture(user.page, "call-sound-settings")
        assert await serious_findings(user.page) == []
        await choice.select_option(another)
        await _until_sent(user, is_on=True, device=another)

        await user.press("End call")
        await user.until_phase("over")
        await user.page.reload()
        await user.press("Start talking")
        await user.until_phase("waiting")
        await _until_sent(user, is_on=True, device=another)


async def _until_sent(user: CallPage, *, is_on: bool, device: str | None = None) -> None:
    """Wait until the page sends the sound of a microphone, of this one if one is named, or none."""

    async def is_so() -> bool:
        sent = await user.page.evaluate(_SENT)
        open_ones = [of for enabled, of in sent if enabled]
        assert bool(open_ones) is is_on, sent
        assert device is None or open_ones == [device], sent
        return True

    await eventually(is_so, DEADLINE_S, interval_s=0.1)
