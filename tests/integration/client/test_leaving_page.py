"""A page that closes stops its session, also where the API is of another origin."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, async_playwright

from tests.support.pages import PageServer
from tests.support.replicas import Replica, Replicas
from tests.support.wait import eventually
from voicefleet_client import SessionHandle, Voicefleet

DEADLINE_S = 60.0
_STOP = "/api/session/stop"


@pytest.fixture
async def server(replicas: Replicas, page_server: PageServer) -> Replica:
    return await replicas.start(CORS_ORIGINS=json.dumps([page_server.origin]))


@asynccontextmanager
async def opened(chromium: Path, url: str, **query: str) -> AsyncIterator[Page]:
    """Open a page in a browser that has another one beside it, and so outlives it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"], timeout=DEADLINE_S * 1000
        )
        try:
            context = await browser.new_context()
            await context.new_page()
            page = await context.new_page()
            await page.goto(f"{url}?{urlencode(query)}", timeout=DEADLINE_S * 1000)
            yield page
        finally:
            await browser.close()


@pytest.mark.usefixtures("leaving_page")
@pytest.mark.parametrize("how", ["left", "closed"])
async def test_the_session_ends_with_its_page(
    server: Replica, page_server: PageServer, chromium: Path, how: str
) -> None:
    """1. A page starts a session. 2. It is closed, or another one takes its place.

    Result: the browser asks whether it may (the preflight), and stops the session, although the
    page is gone.
    """
    url = f"{page_server.origin}/leave/"
    async with opened(chromium, url, api=server.url) as page, Voicefleet(server.url) as fleet:
        session = await _started(page, fleet)
        assert not (await session.view()).is_over
        assert _asked(server.log) == []
        if how == "closed":
            await page.close(run_before_unload=True)
        else:
            await page.goto("about:blank")

        async def has_ended() -> bool:
            return (await session.view()).is_over

        await eventually(has_ended, DEADLINE_S, interval_s=0.2)
    assert _asked(server.log) == [("OPTIONS", 200), ("POST", 200)]


async def _started(page: Page, fleet: Voicefleet) -> SessionHandle:
    """Wait until the page has its session; return a handle of ours."""

    async def has_begun() -> list[str]:
        return (await page.locator("body").inner_text()).split()

    session_id, secret = await eventually(has_begun, DEADLINE_S, interval_s=0.1)
    return fleet.session(session_id, secret)


def _asked(log: Path) -> list[tuple[str, int]]:
    """Return how the server was asked to stop something: methods, and what it said."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [(line["method"], line["status"]) for line in lines if line.get("path") == _STOP]
