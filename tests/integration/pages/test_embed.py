"""<voicefleet-call> in the page of another site."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from devstack.settings import REPO
from tests.support.browser import serious_findings, take_picture
from tests.support.identity_provider import AUDIENCE, ISSUER, ec_key, running_provider
from tests.support.pages import PageServer
from tests.support.replicas import ADMIN_KEY, Replica, Replicas
from voicefleet_client import Admin

pytestmark = pytest.mark.timeout(300)

NAME = "voicefleet-call"
_DOCUMENTED = re.compile(r"```html\n(.*?)```", re.DOTALL)
_GIVE = """([token, server]) => {
    const call = document.querySelector("voicefleet-call");
    call.token = async () => token;
    call.setAttribute("theme", "dark");
    call.setAttribute("server", server);
}"""
_SHOP = """<!doctype html><html lang="en"><title>A shop</title>
<style>p, button {{ color: red; font-size: 40px }}</style>
<p id="ours">Our own words</p>
{call}
<script>
  phases = [];
  addEventListener("voicefleet-phase", (event) => phases.push(event.detail.phase));
</script>
"""


@pytest.fixture
async def server(replicas: Replicas, built_pages: Path, page_server: PageServer) -> Replica:
    origins = json.dumps([page_server.origin])
    return await replicas.start(WEB_DIR=str(built_pages), CORS_ORIGINS=origins)


async def _opened(browser: BrowserContext, page_server: PageServer, server: Replica) -> Page:
    (documented,) = _DOCUMENTED.findall((REPO / "docs" / "pages.md").read_text(encoding="utf-8"))
    html = _SHOP.format(call=documented.replace("https://voice.example.org", server.url))
    (page_server.directory / "shop.html").write_text(html, encoding="utf-8")
    page = await browser.new_page()
    await page.goto(f"{page_server.origin}/shop.html")
    return page


async def test_two_lines_are_enough(
    server: Replica, page_server: PageServer, browser: BrowserContext
) -> None:
    """1. A page of another origin has the lines of docs/pages.md. 2. Its user calls, and
    hangs up.

    Result: the call is with the fleet that the script came from; the page hears how it goes; the
    styles of neither reach the other.
    """
    page = await _opened(browser, page_server, server)
    start = page.get_by_role("button", name="Start talking")
    await start.click()
    await expect(page.locator(".talk")).to_have_attribute("data-phase", "waiting")
    await page.get_by_role("button", name="End call").click()
    await expect(page.get_by_role("heading", name="The call is over")).to_be_visible()
    phases = await page.evaluate("phases")
    assert phases[0] == "idle"
    assert phases[-1] == "over"
    assert "waiting" in phases
    colour = "(selector) => getComputedStyle(document.querySelector(selector)).color"
    assert await page.evaluate(colour, "#ours") == "rgb(255, 0, 0)"
    again = page.get_by_role("button", name="Talk again")
    assert await again.evaluate("(one) => getComputedStyle(one).fontSize") == "16px"


async def test_what_is_taken_out_of_the_page_leaves_the_call(
    server: Replica, page_server: PageServer, browser: BrowserContext
) -> None:
    page = await _opened(browser, page_server, server)
    await page.get_by_role("button", name="Start talking").click()
    await expect(page.locator(".talk")).to_have_attribute("data-phase", "waiting")
    await page.evaluate("element = document.querySelector('voicefleet-call'); element.remove()")
    await expect(page.locator(".talk")).to_have_count(0)
    # Put back, it goes on with the same call.
    await page.evaluate("document.body.append(element)")
    await expect(page.locator(".talk")).to_have_attribute("data-phase", "waiting")


async def test_a_site_that_is_not_named_is_told_so(
    replicas: Replicas, built_pages: Path, page_server: PageServer, browser: BrowserContext
) -> None:
    server = await replicas.start(WEB_DIR=str(built_pages))
    page = await _opened(browser, page_server, server)
    await expect(page.locator("[data-trouble=unreachable]").first).to_be_visible()


async def test_two_in_one_page_are_two_calls(
    replicas: Replicas, built_pages: Path, page_server: PageServer, browser: BrowserContext
) -> None:
    """1. A page has the element twice, and its user calls with the second, then with the first.
    2. The page is loaded again.

    Result: each goes on with its own call.
    """
    origins = json.dumps([page_server.origin])
    settings = {"WEB_DIR": str(built_pages), "CORS_ORIGINS": origins, "MAX_SESSIONS": "2"}
    page = await _opened(browser, page_server, await replicas.start(**settings))
    await page.evaluate("document.body.append(document.createElement('voicefleet-call'))")
    talks = page.locator(".talk")
    for number in (1, 0):
        await talks.nth(number).get_by_role("button", name="Start talking").click()
        await expect(talks.nth(number)).to_have_attribute("data-phase", "waiting")
    before = await _sessions_of(page)
    assert len(set(before)) == 2

    html = (page_server.directory / "shop.html").read_text(encoding="utf-8")
    twice = html + "<voicefleet-call></voicefleet-call>"
    (page_server.directory / "shop.html").write_text(twice, encoding="utf-8")
    await page.reload()
    for number in (0, 1):
        await expect(talks.nth(number)).to_have_attribute("data-phase", "waiting")
    assert await _sessions_of(page) == before


async def test_its_page_can_give_it_a_token_and_colours(
    replicas: Replicas, built_pages: Path, page_server: PageServer, browser: BrowserContext
) -> None:
    """1. A fleet talks with signed-in users only. 2. A page of another origin sets the property and
    the attributes that docs/pages.md names.

    Result: nobody is asked for a token; the call is that of its user, in the colours of the page;
    axe finds nothing serious.
    """
    async with running_provider() as provider:
        provider.publish(ec_key())
        server = await replicas.start(
            WEB_DIR=str(built_pages),
            CORS_ORIGINS=json.dumps([page_server.origin]),
            AUTH_MODE="jwt",
            AUTH_ISSUER=ISSUER,
            AUTH_AUDIENCE=AUDIENCE,
            AUTH_JWKS_URL=provider.url,
            AUTH_KEYS_TIMEOUT_S="10",
        )
        page = await _opened(browser, page_server, server)
        token = provider.token(ec_key(), claims={"sub": "anna"})
        await page.evaluate(_GIVE, [token, server.url])
        await expect(page.locator(".embed")).to_have_attribute("data-theme", "dark")
        await expect(page.get_by_label("Access token")).to_have_count(0)
        await page.get_by_role("button", name="Start talking").click()
        await expect(page.locator(".talk")).to_have_attribute("data-phase", "waiting")
        async with Admin(server.url, admin_key=ADMIN_KEY) as admin:
            (session,) = [one async for one in admin.sessions("live")]
        assert session["userId"] == "anna"
        await take_picture(page, "embed-waiting-dark")
        # The page around it is a bare one.
        findings = await serious_findings(page)
        assert [
            one for one in findings if any("voicefleet-call" in at for at in one["where"])
        ] == []


async def _sessions_of(page: Page) -> list[str]:
    """Return the sessions of the calls in a page, from top to bottom, by their details."""
    talks = page.locator(".talk")
    await expect(talks).to_have_count(2)
    found = []
    for number in range(2):
        details = talks.nth(number).locator(".details")
        await details.evaluate("(one) => { one.open = true; }")
        found.append(await details.locator("dd").first.inner_text())
    return found
