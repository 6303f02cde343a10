"""The fleet in the console: its line, its charts, its pool, and what others change meanwhile."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, expect

from sessions.ids import WorkerId
from tests.integration.pages.paper import WORKER, PaperFleet, paper_fleet
from tests.support.browser import DEADLINE_S
from tests.support.console_page import ConsolePage, console_page
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

#: How many points of a canvas have the colour that figures are drawn in.
_DRAWN = """(canvas) => {
    const dot = document.createElement("canvas").getContext("2d");
    dot.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
    dot.fillRect(0, 0, 1, 1);
    const [red, green, blue] = dot.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4)
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
    return count;
}"""


async def test_somebody_waits_in_line(
    replicas: Replicas, built_pages: Path, wall: BrowserContext
) -> None:
    """1. One has the only slot, and two wait. 2. The first one's session ends; the line moves up.

    Result: the tile counts who waits and for how long, and says when nobody does.
    """
    async with paper_fleet(replicas, built_pages, MAX_SESSIONS="1") as fleet:
        talking, *waiting = [await fleet.start(user) for user in ("ada", "bob", "cleo")]
        async with console_page(wall, fleet.url, ADMIN_KEY) as console:
            line = console.tile("In line")
            await expect(line.locator(".tile-value")).to_have_text("2")
            await expect(line).to_contain_text(re.compile(r"longest wait \d+ s"))
            await expect(console.tile("Slots in use")).to_contain_text("1 of 1")
            await expect(console.tile("Error budget left")).to_contain_text("in 30 days")
            await expect(console.row(waiting[0])).to_contain_text("queued")
            await console.look("line")
            await fleet.end(talking)
            await expect(line.locator(".tile-value")).to_have_text("1")
            await expect(console.row(waiting[0])).to_contain_text("starting")
            for one in waiting:
                await fleet.end(one)
            await expect(line).to_contain_text("nobody waiting")


async def test_charts_draw_what_their_tables_say(paper: PaperFleet, wall: BrowserContext) -> None:
    """Nothing is drawn of an hour without sessions. Of three starts that went well and one that did
    not, each chart draws something, says it in words, and has the figures as a table.
    """
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        await expect(_chart(console, "Starts per minute")).to_contain_text("0 admitted, 0 failed")
        assert await _drawn(_chart(console, "Starts per minute")) == 0
        await expect(_chart(console, "Time to start")).to_contain_text("No starts in the last 60")
    for _ in range(3):
        await paper.talk()
    await paper.store.fail(await paper.start(), "No agent came in time.")
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        starts = _chart(console, "Starts per minute")
        await expect(starts).to_contain_text("4 admitted, 1 failed")
        for name in ("Starts per minute", "Success rate of starts", "Time to start"):
            await eventually(partial(_drawn, _chart(console, name)), DEADLINE_S, message=name)
        drawn = console.page.get_by_role("img", name="Success rate of starts: 75.0 % overall")
        await expect(drawn).to_be_visible()
        await _as_table(starts)
        assert (await _column(starts, 1), await _column(starts, 3)) == (4, 1)
        times = _chart(console, "Time to start")
        await _as_table(times)
        assert await _column(times, 1) == 3
        success = _chart(console, "Success rate of starts")
        await _as_table(success)
        await expect(success.locator("tbody")).to_contain_text("75.0 %")
        await console.look("charts-as-tables")


def _chart(console: ConsolePage, title: str) -> Locator:
    heading = console.page.get_by_role("heading", name=title, exact=True)
    return console.page.locator(".chart").filter(has=heading)


async def _drawn(chart: Locator) -> int:
    """Return how much of a chart is drawn, beside its axes."""
    count: int = await chart.locator("canvas").evaluate(_DRAWN)
    return count


async def _as_table(chart: Locator) -> None:
    await chart.get_by_role("button", name="Show as table").click()
    await expect(chart.locator("tbody tr").first).to_be_visible()


async def _column(chart: Locator, place: int) -> int:
    """Add up a column of the table that a chart is shown as."""
    cells = chart.locator(f"tbody tr > :nth-child({place + 1})")
    return sum(map(int, await cells.all_inner_texts()))


async def test_a_smaller_pool_is_asked_about_and_no_target_too(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """1. A target of 5 is made 6, then 2; then there is to be none.

    Result: more is done at once; less, and none, once it is confirmed. The keyboard stays where
    it was, at the button that cannot be pressed any more.
    """
    await paper.enlist()
    await paper.admin.resize_pool(5)
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        pool = console.page.get_by_role("region", name="Warm pool")
        size = pool.get_by_label("Processes to keep warm")
        await expect(size).to_have_value("5")
        await console.press("One more", pool)
        await console.press("Apply", pool)
        await expect(pool).to_contain_text("The pool's target is 6")
        await size.fill("2")
        await console.press("Apply", pool)
        await expect(console.dialog).to_contain_text("Shrink the pool to 2?")
        assert (await paper.admin.fleet())["pool"]["target"] == 6
        await console.press("Shrink", console.dialog)
        await expect(pool).to_contain_text("The pool's target is 2")
        await console.press("No target", pool)
        await console.press("No target", console.dialog)
        await expect(console.fact("Target", pool)).to_have_text("none")
        assert (await paper.admin.fleet())["pool"]["target"] is None
        await expect(pool.get_by_role("button", name="No target")).to_be_disabled()
        await expect(pool.get_by_role("button", name="No target")).to_be_focused()
        await expect(pool).to_contain_text("each worker its own POOL_SIZE at least")
        await console.look("no-target-set")


async def test_it_says_why_the_traffic_asks_for_so_many(
    replicas: Replicas, built_pages: Path, wall: BrowserContext
) -> None:
    """Four users come at once, and a worker replaces a process within two seconds."""
    async with paper_fleet(replicas, built_pages, POOL_INTERVAL_S="0.2") as fleet:
        await fleet.enlist()
        for user in ("ada", "bob", "cleo", "dan"):
            await fleet.end(await fleet.start(user))
        async with console_page(wall, fleet.url, ADMIN_KEY) as console:
            pool = console.page.get_by_role("region", name="Warm pool")
            await expect(console.fact("By traffic", pool)).to_have_text(re.compile("[1-4]"))
            size = await console.fact("By traffic", pool).inner_text()
            await pool.get_by_text(f"Why does traffic ask for {size}?").click()
            await expect(pool.get_by_role("group")).to_contain_text(
                re.compile(r"Of the 4 starts of the last hour, this many would have served \d")
            )
            await console.look("pool-reason")


async def test_what_others_change_appears_by_itself(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """Another operator drains a worker and sets the pool; users come and go. Nobody touches the
    page."""
    await paper.enlist()
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        worker = console.page.locator(".workers tbody tr").filter(has_text=WORKER)
        await expect(worker).to_contain_text("takes calls")
        await paper.admin.drain(WORKER)
        await expect(worker).to_contain_text("draining")
        await paper.admin.resize_pool(7)
        await expect(console.tile("Warm pool")).to_contain_text("target 7")
        session_id = await paper.talk("ada")
        await expect(console.row(session_id)).to_contain_text("active")
        await expect(console.tile("Active").locator(".tile-value")).to_have_text("1")
        await paper.enlist(active=9)
        await expect(worker).to_contain_text("9 of 10 in a call")
        await paper.admin.stop(session_id)
        await expect(console.row(session_id)).to_have_count(0)
        await expect(console.tile("Active").locator(".tile-value")).to_have_text("0")


async def test_how_many_workers_are_wanted_and_which_is_not(
    paper: PaperFleet, wall: BrowserContext
) -> None:
    """1. One worker is there, for nobody. 2. Another one comes, and is drained by scale-in."""
    await paper.enlist()
    await paper.enlist(WorkerId("w-2"))
    async with console_page(wall, paper.url, ADMIN_KEY) as console:
        workers = console.page.locator(".workers")
        await expect(workers).to_contain_text(
            re.compile(r"2 workers, 1 wanted: 0 calls, 0 in line, \d+ to spare")
        )
        await paper.store.fleet.drain_surplus(WorkerId("w-2"))
        await expect(workers).to_contain_text("1 worker, 1 wanted")
        await expect(workers.get_by_role("row", name="w-2")).to_contain_text("not wanted")
        await console.look("workers-wanted")
