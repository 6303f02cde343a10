"""The call page, as somebody sees, hears and uses it who sits before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Page

from tests.support.browser import DEADLINE_S
from tests.support.speech import words
from tests.support.wait import eventually

#: Remembers everything that the page has shown of the state of its call.
_REMEMBER_PHASES = """
    window.phases = [];
    new MutationObserver((changes) => {
        for (const { target } of changes)
            if (target.matches?.(".talk")) window.phases.push(target.dataset.phase);
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-phase"] });
"""


@dataclass(frozen=True, kw_only=True)
class CallPage:
    """A call page that is open."""

    page: Page
    #: What it asked for, wherever.
    requests: list[str] = field(default_factory=list)
    #: What it threw, and what the browser's console has against it.
    complaints: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Return the complaints that are no mere sign of a long wait for an agent, of more than
        the 10 s that the SDK keeps what the user says meanwhile."""
        return [one for one in self.complaints if "preconnect buffer" not in one]

    async def press(self, button: str) -> None:
        """Press a button once it is there and can be pressed."""
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def phase(self) -> str:
        """Return what the page says its call is at."""
        return await self.page.locator(".talk").get_attribute("data-phase") or ""

    async def phases(self) -> list[str]:
        """Return all that it has said so far."""
        said: list[str] = await self.page.evaluate("window.phases")
        return said

    async def until_phase(self, *phases: str) -> str:
        """Wait until the call is at one of them; return it."""

        async def is_there() -> str:
            phase = await self.phase()
            assert phase in phases, f"{phase}; complaints: {self.complaints[-5:]}"
            return phase

        return await eventually(is_there, DEADLINE_S, interval_s=0.05)

    async def until_talking(self) -> str:
        """Wait until there is an agent to talk with."""
        return await self.until_phase("listening", "thinking", "speaking")

    async def spoken(self) -> str:
        """Return what a screen reader is told of the call."""
        return await self.page.locator(".talk > [role=status]").inner_text()

    async def until_true(self, expression: str) -> None:
        """Wait until an expression is true in the page, whose policy lets it evaluate no text."""

        async def is_true() -> bool:
            return bool(await self.page.evaluate(expression))

        await eventually(is_true, DEADLINE_S, interval_s=0.1, message=expression)

    async def until_complaint(self, words: str) -> None:
        """Wait until the browser's console, or the page's SDK in it, says something with these."""

        async def is_said() -> bool:
            return any(words in line for line in self.complaints)

        await eventually(is_said, DEADLINE_S, interval_s=0.1)

    async def until_trouble(self, kind: str) -> str:
        """Wait until the page tells of trouble of a kind; return its words."""
        note = self.page.locator(f"[data-trouble={kind}]")
        await note.wait_for()
        return await note.inner_text()

    async def said(self, by: str) -> str:
        """Return all lines of the user or of the agent."""
        lines = await self.page.locator(f".line[data-by={by}] > p:last-child").all_inner_texts()
        return "\n".join(lines)

    async def until_said(self, by: str, word: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a word is in the lines of the user or of the agent."""

        async def is_said() -> bool:
            said = await self.said(by)
            assert word in words(said), said
            return True

        await eventually(is_said, deadline_s, interval_s=0.2)


@asynccontextmanager
async def call_page(context: BrowserContext, url: str) -> AsyncIterator[CallPage]:
    """Open a call page; nothing that it asks for may be of another host."""
    page = await context.new_page()
    seen = CallPage(page=page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("console", lambda line: _note(seen, line.type, line.text))
    await page.add_init_script(_REMEMBER_PHASES)
    await page.goto(url)
    await page.locator(".talk").wait_for()
    yield seen
    await page.close()


def _note(seen: CallPage, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        seen.complaints.append(text)
