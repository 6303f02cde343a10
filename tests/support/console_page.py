"""The fleet console, as somebody sees and uses it who runs the fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.support.browser import serious_findings, take_picture

#: As many characters of a session's id as a row shows.
SHORT_ID_CHARS = 8


@dataclass(frozen=True, kw_only=True)
class ConsolePage:
    """A console that is open."""

    page: Page
    #: What it asked for, wherever.
    requests: list[str] = field(default_factory=list)
    #: What it threw, and what the browser's console has against it.
    complaints: list[str] = field(default_factory=list)

    @property
    def panel(self) -> Locator:
        """The session that is open beside the others."""
        return self.page.get_by_role("complementary")

    @property
    def dialog(self) -> Locator:
        """The question that is asked before something is done."""
        return self.page.get_by_role("dialog")

    @property
    def rows(self) -> Locator:
        """The sessions of the list, without its head."""
        return self.page.locator(".session-table tbody tr")

    def row(self, session_id: str) -> Locator:
        """The row of a session in the list."""
        return self.rows.filter(has_text=session_id[:SHORT_ID_CHARS])

    def tile(self, name: str) -> Locator:
        """A figure of the overview, with its note, by its name."""
        return self.page.locator(".tile").filter(has=self.page.get_by_text(name, exact=True))

    def fact(self, name: str, where: Locator | None = None) -> Locator:
        """The value of a fact by its name, in the panel or elsewhere."""
        facts = (where or self.panel).locator(".facts > div")
        return facts.filter(has=self.page.get_by_text(name, exact=True)).locator("dd")

    async def sign_in(self, key: str) -> None:
        """Type the key, and wait until the fleet is there."""
        await self.page.get_by_label("Admin key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Workers")).to_be_visible()

    async def press(self, button: str, where: Locator | None = None) -> None:
        """Press a button, of the page or of a part of it."""
        await (where or self.page).get_by_role("button", name=button, exact=True).click()

    async def open_session(self, session_id: str) -> None:
        """Open a session of the list."""
        await self.press(f"Open session {session_id[:SHORT_ID_CHARS]}")
        await expect(self.panel).to_contain_text(session_id)

    async def show(self, tab: str) -> None:
        """Show a tab of the session that is open."""
        await self.panel.get_by_role("tab", name=tab).click()

    async def look(self, picture: str) -> None:
        """Take a picture of what is shown; nothing is in anybody's way, or beyond the edge."""
        await take_picture(self.page, f"console-{picture}")
        assert await serious_findings(self.page) == []
        assert not await self.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@asynccontextmanager
async def console_page(
    context: BrowserContext, url: str, key: str | None = None, place: str = ""
) -> AsyncIterator[ConsolePage]:
    """Open the console, at a place such as `#session/…`; with a key somebody is signed in."""
    page = await context.new_page()
    seen = ConsolePage(page=page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("console", lambda line: _note(seen, line.type, line.text))
    await page.goto(f"{url}/console{place}")
    await page.get_by_label("Admin key").wait_for()
    if key is not None:
        await seen.sign_in(key)
    yield seen
    await page.close()


def _note(seen: ConsolePage, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        seen.complaints.append(text)
