"""The policy of a page, as a real browser understands it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from devstack.install.tools import CHROMIUM
from tests.integration.tokenserver.pages.conftest import MEDIA
from tests.support.pages import PageServer
from tests.support.servers import program
from tests.support.wait import eventually

DEADLINE_MS = 60_000
COMPLAINS_WITHIN_S = 30.0
#: Nobody outside of this machine is asked for an address, or for anything else.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"

#: What a page does, and the part of its policy that is against it.
EXPECTED = {
    ("fetch", "/healthz"): None,
    ("fetch", "https://media.example.com/rtc/validate"): None,
    ("socket", f"{MEDIA}/rtc"): None,
    ("image", "/favicon.svg"): None,
    ("fetch", "https://evil.example/"): "connect-src",
    ("fetch", "http://media.example.com/"): "connect-src",
    ("socket", "wss://evil.example/"): "connect-src",
    ("script", "https://evil.example/x.js"): "script-src-elem",
    ("image", "https://evil.example/x.png"): "img-src",
    ("frame", "https://evil.example/"): "frame-src",
    ("style", ""): "style-src-elem",
    ("handler", ""): "script-src-attr",
}

#: Does something, and tells which part of the policy was against it. Complaints come in order:
#: once that about something forbidden is there, none of what was done before is missing.
_TRIED = """async ([kind, target]) => {
    const complaints = [];
    const complained = new Promise((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => {
            if (event.blockedURI.includes("forbidden.example")) resolve();
            else complaints.push(event.effectiveDirective);
        });
    });
    const settled = (target) => new Promise((resolve) =>
        Object.assign(target, {onload: resolve, onopen: resolve, onerror: resolve}));
    const added = (name, fields) => {
        const element = Object.assign(document.createElement(name), fields);
        const done = settled(element);
        document.body.append(element);
        return done;
    };
    const doings = {
        fetch: () => fetch(target).catch(() => {}),
        socket: () => settled(new WebSocket(target)),
        script: () => added("script", {src: target}),
        image: () => added("img", {src: target}),
        frame: () => added("iframe", {src: target}),
        style: () => document.body.append(
            Object.assign(document.createElement("style"), {textContent: "p {color: red}"})),
        handler: () => document.body.setAttribute("onclick", "1"),
    };
    await doings[kind]();
    fetch("https://forbidden.example/").catch(() => {});
    await complained;
    return complaints;
}"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(CHROMIUM), args=["--no-sandbox", OFFLINE], timeout=DEADLINE_MS
        )
        yield browser
        await browser.close()


async def opened(browser: Browser, url: str) -> Page:
    """Open the call page, and wait until its own script has run."""
    page = await browser.new_page()
    await page.goto(url, timeout=DEADLINE_MS)

    async def has_run() -> bool:
        return bool(await page.evaluate("window.ran"))

    await eventually(has_run)
    return page


async def test_a_page_runs_its_own_script_and_no_inline_one(browser: Browser, url: str) -> None:
    page = await opened(browser, url)
    assert await page.evaluate("window.inline") is None
    assert await page.evaluate("document.title") == "Call"


async def test_a_page_talks_to_its_own_server_and_to_livekit(browser: Browser, url: str) -> None:
    """What is allowed is tried, whether somebody answers or not; all else is not even tried."""
    found: dict[tuple[str, str], str | None] = {}
    for kind, target in EXPECTED:
        page = await opened(browser, url)
        async with asyncio.timeout(COMPLAINS_WITHIN_S):
            complaints = await page.evaluate(_TRIED, [kind, target])
        found[kind, target] = ", ".join(complaints) or None
        await page.close()
    assert found == EXPECTED


async def test_another_site_frames_no_page_and_loads_one_script(
    browser: Browser, url: str, page_server: PageServer
) -> None:
    """A page of another site (`localhost` is one, to a browser) frames the call page, and loads
    the script for other sites, and one that is not for them."""
    (page_server.directory / "other.html").write_text(
        f'<iframe src="{url}/" id="frame"></iframe>'
        f'<script src="{url}/embed/voicefleet-call.js"></script>'
        f'<script src="{url}/assets/index-BqYw3_-x.js" type="module"></script>'
    )
    page = await browser.new_page()
    refused: list[str] = []
    page.on("requestfailed", lambda request: refused.append(request.url.removeprefix(url)))
    await page.goto(f"{page_server.unknown_origin}/other.html", timeout=DEADLINE_MS)

    async def has_settled() -> bool:
        is_embedded = await page.evaluate("typeof window.VoicefleetCall")
        assert is_embedded == "object"
        assert len(refused) >= 2
        return True

    await eventually(has_settled)
    assert set(refused) == {"/", "/assets/index-BqYw3_-x.js"}
    assert await page.evaluate("window.ran") is None
    assert await page.evaluate("document.getElementById('frame').contentDocument") is None
