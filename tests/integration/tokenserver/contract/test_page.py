"""The contract as it is served: a page that needs nothing but itself, and the document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import httpx2
import pytest
from playwright.async_api import Browser, async_playwright

from devstack.install.tools import CHROMIUM
from tests.integration.tokenserver.conftest import TokenServer
from tests.support.servers import program
from tokenserver.app import OPERATIONS
from tokenserver.contract.openapi import document
from tokenserver.contract.page import POLICY

DEADLINE_MS = 60_000

#: Whether the list of calls stays in view.
_STAYS = """async () => {
    const nav = document.querySelector("nav");
    window.scrollTo(0, 5000);
    await new Promise(requestAnimationFrame);
    return nav.getBoundingClientRect().top === 0;
}"""
_DEAD_LINKS = """() => [...document.querySelectorAll("a[href^='#']")]
    .map((link) => link.getAttribute("href"))
    .filter((href) => !document.getElementById(href.slice(1)))"""
_COLORS = """() => {
    const style = getComputedStyle(document.body);
    return [style.backgroundColor, style.color];
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(CHROMIUM), args=["--no-sandbox"], timeout=DEADLINE_MS
        )
        yield browser
        await browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
async def test_the_page_needs_nothing_else(
    tokenserver: TokenServer, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    url = f"{tokenserver.url}/api/docs"
    requests: list[str] = []
    complaints: list[str] = []
    page = await browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # All but the page itself is cut off.
    await page.route(lambda asked: asked != url, lambda route: route.abort())

    answer = await page.goto(url, timeout=DEADLINE_MS)
    # By itself this may come before a busy machine has read the page to its end.
    await page.wait_for_load_state("networkidle", timeout=DEADLINE_MS)

    assert answer is not None
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert requests == [url, *(one for one in requests[1:] if one.startswith("data:"))]
    assert complaints == []
    assert await page.evaluate(_DEAD_LINKS) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.locator("section h3").first.is_visible()
    assert await page.evaluate(_STAYS) is (width > 1000)
    paper, ink = await page.evaluate(_COLORS)
    assert (brightness(paper) > brightness(ink)) is (scheme == "light")


def brightness(color: str) -> int:
    """Return the sum of "rgb(1, 2, 3)"."""
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))


async def test_the_style_is_there_despite_the_policy(
    tokenserver: TokenServer, browser: Browser
) -> None:
    page = await browser.new_page()
    await page.goto(f"{tokenserver.url}/api/docs", timeout=DEADLINE_MS)
    layout = await page.evaluate("getComputedStyle(document.querySelector('.page')).display")
    assert layout == "grid"


async def test_the_document_is_the_lists(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/openapi.json")).json() == document(OPERATIONS)
