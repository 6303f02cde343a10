"""Sessions in the console: found, filtered, turned over, looked into."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from sessions.ids import SessionId, UserId, WorkerId, new_identity, new_session_id
from sessions.model import Newcomer
from tests.integration.pages.paper import LINES, WORKER, PaperFleet
from tests.support.browser import DEADLINE_S
from tests.support.console_page import SHORT_ID_CHARS, ConsolePage, console_page
from tests.support.replicas import ADMIN_KEY
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

OTHER_WORKER = WorkerId("w-2")
PAGE_SIZE = 25


async def test_a_session_is_found_by_its_id(paper: PaperFleet, wall: BrowserContext) -> None:
    """By its id or its room's name, whether or not it is in the list; what is neither is told."""
    session_id = await paper.talk()
    await paper.end(session_id)
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await expect(console.page.get_by_text("No sessions match")).to_be_visible()
        for text in (session_id, f" vf-{session_id.upper()}"):
            await _find(console, text)
            await expect(console.panel).to_contain_text(session_id)
            await expect(console.fact("Reason")).to_have_text("user_left")
            assert session_id in console.page.url
            await console.page.keyboard.press("Escape")
            await expect(console.panel).to_have_count(0)
        await _find(console, "ada")
        await expect(console.page.get_by_text("A session id has 32 characters")).to_be_visible()
        await console.look("no-id")
        await _find(console, "0" * 32)
        await expect(console.panel).to_contain_text("There is no such session")
        await console.look("no-such-session")


async def _find(console: ConsolePage, text: str) -> None:
    await console.page.get_by_label("Session id").fill(text)
    await console.press("Open")


async def test_filters_by_state_user_and_worker(paper: PaperFleet, wall: BrowserContext) -> None:
    """Each by itself and together; they are in the address, which a reload comes back to."""
    await paper.enlist(active=1)
    await paper.enlist(OTHER_WORKER, active=1)
    live = [await paper.talk("ada"), await paper.talk("bob", worker_id=OTHER_WORKER)]
    ended = await paper.talk("ada")
    await paper.end(ended)
    failed = await paper.start("cleo")
    await paper.store.fail(failed, "No agent came in time.")
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await _shows(console, *live)
        await _choose(console, "failed")
        await _shows(console, failed)
        await _choose(console, "All")
        await _shows(console, *live, ended, failed)
        await console.page.get_by_label("User", exact=True).fill("unverified:ada")
        await console.press("Filter")
        await _shows(console, live[0], ended)
        await console.press(f"Show the sessions of worker {OTHER_WORKER}")
        await expect(console.page.get_by_text("No sessions match")).to_be_visible()
        await console.press("Clear")
        await _choose(console, "All live")
        await console.page.get_by_label("Worker", exact=True).fill(WORKER)
        await console.press("Filter")
        await _shows(console, live[0])
        await console.page.reload()
        await console.sign_in(ADMIN_KEY)
        await _shows(console, live[0])


async def _choose(console: ConsolePage, state: str) -> None:
    """Choose a state, whatever number stands beside it."""
    await console.page.get_by_role("button", name=re.compile(rf"^{state}\s*\d*$")).click()


async def _shows(console: ConsolePage, *sessions: SessionId) -> None:
    """Wait until the list has these sessions and no others."""

    async def has_them() -> bool:
        assert await _ids(console.rows) == {one[:SHORT_ID_CHARS] for one in sessions}
        return True

    await eventually(has_them, DEADLINE_S)


async def _ids(rows: Locator) -> set[str]:
    return set(await rows.locator("th .link").all_inner_texts())


async def test_a_user_is_found_as_the_list_shows_them(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """The list says "ada unverified", and the name is kept as "unverified:ada".

    Result: a click on the name shows this user's sessions; and who types "ada", of whom there is no
    session, is told what to ask for, and asks for it with one press.
    """
    ada, _ = await paper.talk("ada"), await paper.talk("bob")
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await console.row(ada).get_by_role("button", name="ada").click()
        await _shows(console, ada)
        assert "user=unverified%3Aada" in console.page.url
        field = console.page.get_by_label("User", exact=True)
        await expect(field).to_have_value("unverified:ada")
        # The click was for the name, and opened nothing.
        await expect(console.panel).to_have_count(0)
        await field.fill("ada")
        await console.press("Filter")
        await expect(console.page.get_by_text("No sessions match")).to_be_visible()
        await console.look("nobody-of-this-name")
        await console.press("Filter for unverified:ada")
        await _shows(console, ada)
        await expect(console.page.get_by_role("heading", name="Sessions")).to_be_focused()


async def test_pages_are_turned_forwards_and_back(paper: PaperFleet, wall: BrowserContext) -> None:
    """30 sessions are over: a page of 25, the newest first, and one of five."""
    past = [await _past(paper, f"user-{number}") for number in range(30)]
    newest, oldest = past[: -PAGE_SIZE - 1 : -1], past[:-PAGE_SIZE]
    async with console_page(wall, paper.url, ADMIN_KEY, "#?state=ended") as console:
        turner = console.page.get_by_role("navigation", name="Sessions", exact=True)
        await _shows(console, *newest)
        await console.press("Next", turner)
        await _shows(console, *oldest)
        await expect(turner).to_contain_text("Page 2")
        await expect(turner.get_by_role("button", name="Next")).to_be_disabled()
        await console.look("second-page")
        await console.press("Previous", turner)
        await _shows(console, *newest)
        await expect(turner).to_contain_text("Page 1")


async def _past(paper: PaperFleet, user: str) -> SessionId:
    """Return a session that is over; nobody was ever sent to it."""
    newcomer = Newcomer(
        id=new_session_id(), user_id=UserId(user), identity=new_identity(), secret_hash="0" * 64
    )
    await paper.store.admit(newcomer)
    await paper.end(newcomer.id)
    return newcomer.id


async def test_what_went_wrong_is_shown(paper: PaperFleet, wall: BrowserContext) -> None:
    """What providers failed at, agent by agent; an agent that was lost; why the session failed."""
    session_id = await paper.talk()
    await paper.write_down(session_id)
    await paper.store.lose(session_id, "its process died", epoch=1, is_certain=True)
    await paper.bring_agent(session_id, epoch=2)
    await paper.write_down(session_id, epoch=2)
    await paper.store.fail(session_id, "No model answered.")
    async with console_page(wall, paper.url, ADMIN_KEY, "#?state=failed") as console:
        await expect(console.row(session_id)).to_contain_text("No model answered.")
        await console.open_session(session_id)
        await expect(console.fact("Error")).to_have_text("No model answered.")
        await expect(console.fact("Agents lost")).to_have_text("1")
        first = console.panel.get_by_role("region", name="Agent 1")
        await expect(first).to_contain_text("lost: it recorded no end")
        errors = first.get_by_role("table", name="Errors").locator("tbody tr")
        assert [await _cells(row) for row in await errors.all()] == [
            ["tts", "openai", "silent", "2", "recovered"],
            ["llm", "all", "unreachable", "1", "lost"],
        ]


async def _cells(row: Locator) -> list[str]:
    """Return the texts of a row, but for times of day."""
    texts = await row.locator("th, td").all_inner_texts()
    return [text for text in texts if not re.fullmatch(r"\d\d:\d\d:\d\d", text)]


async def test_the_keyboard_stays_at_the_log_whose_end_is_gone_to(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """1. Somebody scrolls up to read, and goes back to the end. 2. More is written.

    Result: the button is gone, and the keyboard is at the log, which follows its end again.
    """
    session_id = await paper.talk()
    await paper.write_down(session_id)
    place = f"#session/{session_id}?tab=logs"
    async with console_page(wall, paper.url, ADMIN_KEY, place) as console:
        log = console.panel.get_by_role("group", name="Logs")
        await expect(log.locator("li")).to_have_count(LINES)
        await log.focus()
        await console.page.keyboard.press("Home")
        # The way up is an animation, which would go on beyond the press.
        await eventually(lambda: log.evaluate("(one) => one.scrollTop === 0"), DEADLINE_S)
        await console.look("scrolled-up")
        await console.press("Go to the end")
        await expect(console.page.get_by_role("button", name="Go to the end")).to_have_count(0)
        await expect(log).to_be_focused()
        await paper.write_down(session_id)
        last = log.locator("li").last
        await expect(log.locator("li")).not_to_have_count(LINES)
        await expect(last).to_be_in_viewport()
