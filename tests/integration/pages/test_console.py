"""Every view of the console, in both colours and at both sizes: nothing in anybody's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, expect

from tests.integration.pages.paper import WORKER, PaperFleet, paper_fleet
from tests.support.browser import browsing
from tests.support.console_page import ConsolePage, console_page
from tests.support.gate import gate_before
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import LiveKitServer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.parametrize("scheme", ["light", "dark"]),
    pytest.mark.parametrize("width", [1600, 390], ids=["wall", "phone"]),
]
Scheme = Literal["light", "dark"]

#: What each tab of a session has to show.
TABS = {
    "Timeline": "Until the agent can be heard",
    "Transcript": "Seven plus five is twelve.",
    "Logs": "no model answered",
}


@pytest.fixture
async def looks(chromium: Path, width: int, scheme: Scheme) -> AsyncIterator[BrowserContext]:
    async with browsing(chromium, width=width, scheme=scheme) as context:
        yield context


@pytest.fixture
def suffix(width: int, scheme: Scheme) -> str:
    """What tells the pictures of one look from those of another."""
    return f"{scheme}-{width}"


async def test_a_session_tab_by_tab(paper: PaperFleet, looks: BrowserContext, suffix: str) -> None:
    """1. An agent is lost, and another one goes on. 2. Somebody signs in, and looks into it.

    Result: all that was written down is there. Nothing is asked of any other host, and the browser
    has nothing against it.
    """
    await paper.enlist(active=1)
    session_id = await paper.talk()
    await paper.write_down(session_id)
    await paper.store.lose(session_id, "its process died", epoch=1, is_certain=True)
    await paper.bring_agent(session_id, epoch=2)
    await paper.write_down(session_id, epoch=2)
    async with console_page(looks, paper.url) as console:
        await console.look(f"sign-in-{suffix}")
        await console.sign_in(ADMIN_KEY)
        await expect(console.page.get_by_text("All is well")).to_be_visible()
        await console.look(f"well-{suffix}")
        await console.open_session(session_id)
        for tab, content in TABS.items():
            await console.show(tab)
            await expect(console.panel).to_contain_text(content)
            await console.look(f"{tab.lower()}-{suffix}")
        assert {urlsplit(url).hostname for url in console.requests} == {"127.0.0.1"}
        assert console.complaints == []


async def test_what_asks_first(paper: PaperFleet, looks: BrowserContext, suffix: str) -> None:
    """Each question names what it is about and what happens then; saying no changes nothing."""
    await paper.enlist()
    await paper.admin.resize_pool(5)
    session_id = await paper.talk()
    async with console_page(looks, paper.url, ADMIN_KEY) as console:
        await _refuse(console, f"Drain {WORKER}", "The fleet has fewer places", f"drain-{suffix}")
        await _refuse(
            console, "No target", "each worker its own POOL_SIZE at least", f"no-target-{suffix}"
        )
        await console.page.get_by_label("Processes to keep warm").fill("2")
        await _refuse(console, "Apply", "2 warm processes instead of 5", f"shrink-{suffix}")
        await console.open_session(session_id)
        await _refuse(console, "Stop session", "This cannot be undone", f"stop-{suffix}")
    fleet = await paper.admin.fleet()
    assert (fleet["pool"]["target"], fleet["workers"][0]["draining"]) == (5, False)
    assert (await paper.admin.session(session_id))["status"] == "active"


async def _refuse(console: ConsolePage, button: str, about: str, picture: str) -> None:
    """Press a button, look at what is asked, and say no; the keyboard is where it was."""
    await console.press(button)
    await expect(console.dialog).to_contain_text(about)
    await console.look(picture)
    await console.press("Cancel", console.dialog)
    await expect(console.dialog).to_have_count(0)
    pressed = console.page.get_by_role("button", name=button, exact=True)
    await expect(pressed).to_be_focused()


async def test_a_fleet_in_trouble(
    replicas: Replicas,
    livekit_server: LiveKitServer,
    built_pages: Path,
    looks: BrowserContext,
    suffix: str,
) -> None:
    """1. One user has the only slot, one waits, no worker is there. 2. LiveKit goes. 3. So does the
    token server.

    Result: all of it is told, the last in place of figures that would look like those of now.
    """
    async with gate_before(livekit_server.port) as gate:
        livekit = {"LIVEKIT_URL": f"ws://127.0.0.1:{gate.port}", "UNSERVED_INTERVAL_S": "0.2"}
        async with paper_fleet(replicas, built_pages, MAX_SESSIONS="1", **livekit) as fleet:
            await fleet.start("ada")
            await fleet.start("bob")
            await gate.shut()
            async with console_page(looks, fleet.url, ADMIN_KEY) as console:
                await expect(console.tile("In line")).to_contain_text("longest wait")
                await expect(console.page.locator(".alert")).to_have_count(2)
                await expect(console.page.locator(".breaker").first).to_contain_text("LiveKit")
                await console.look(f"trouble-{suffix}")
                await fleet.server.kill()
                await expect(console.page.locator(".live")).to_contain_text("No data since")
                await console.look(f"no-data-{suffix}")
