"""A visit to the page that somebody wrote who knows LiveKit's components and nothing of us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from playwright.async_api import Page, Request

from tests.support.browser import DEADLINE_S, browsing, is_audible, received_energy
from tests.support.speech import words
from tests.support.wait import eventually


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit to the page of web/test/page."""

    page: Page
    #: Every token request the page has sent.
    token_requests: list[Request] = field(default_factory=list)
    #: What the page wrote to the console or threw.
    console: list[str] = field(default_factory=list)

    async def read(self, name: str) -> str:
        """Return one of `connection`, `agent` and `outcome`, as the page shows it."""
        return (await self.page.locator(f"#{name}").inner_text()).strip()

    async def said(self, kind: str) -> str:
        """Return the lines of a kind, `userTranscript` or `agentTranscript`."""
        return "\n".join(await self.page.locator(f"li.{kind}").all_inner_texts())

    async def press(self, button: str) -> None:
        """Press a button."""
        await self.page.get_by_role("button", name=button).click(timeout=DEADLINE_S * 1000)

    async def until(self, name: str, *values: str, matching: str = "") -> str:
        """Wait until the page shows one of some values, or one with `matching` in it; return it."""

        async def shown() -> str:
            value = await self.read(name)
            is_it = value in values or (matching and matching in value)
            assert is_it, f"{name} is {value!r}; console: {self.console[-5:]}"
            return value

        return await eventually(shown, DEADLINE_S, interval_s=0.1)

    async def until_said(self, kind: str, word: str) -> None:
        """Wait until a word is in the lines of a kind."""

        async def said() -> bool:
            lines = await self.said(kind)
            assert word in words(lines), lines
            return True

        await eventually(said, DEADLINE_S, interval_s=0.2)

    async def until_tokens(self, number: int) -> None:
        """Wait until so many tokens were fetched and answered, and fail on one more."""

        async def answered() -> bool:
            return len([one for one in self.token_requests if await one.response()]) >= number

        await eventually(answered, DEADLINE_S, interval_s=0.1)
        assert len(self.token_requests) == number

    async def until_energy(self, least: float) -> None:
        """Wait until so much sound has arrived."""

        async def arrived() -> bool:
            assert (energy := await self.received_energy()) >= least, energy
            return True

        await eventually(arrived, DEADLINE_S, interval_s=0.2)

    async def received_energy(self) -> float:
        """Return the energy of all sound that has arrived so far, in units of getStats()."""
        return await received_energy(self.page)

    async def until_audible(self) -> None:
        """Wait until an element of the page plays what arrives."""

        async def plays() -> bool:
            return await is_audible(self.page)

        await eventually(plays, DEADLINE_S, interval_s=0.2)


@asynccontextmanager
async def visit(
    chromium: Path, page_url: str, microphone: Path, **query: str
) -> AsyncIterator[Visit]:
    """Open a page in a browser of its own. `microphone` is what the user says, over and over."""
    async with browsing(chromium, microphone=microphone) as context:
        page = await context.new_page()
        seen = Visit(page=page)
        page.on("request", lambda request: _note_token(seen, request))
        page.on("console", lambda message: seen.console.append(message.text))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        await page.goto(f"{page_url}?{urlencode(query)}")
        yield seen


def _note_token(seen: Visit, request: Request) -> None:
    if request.method == "POST" and request.url.endswith("/api/token"):
        seen.token_requests.append(request)
