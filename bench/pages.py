"""Measures how soon the call page can be used: `python -m bench.pages --help`.

It starts its own Redis, livekit-server and token server with the built pages, and opens the call
page in Chromium again and again, each time in a browser profile that has nothing of it yet, and
once more in the same one.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from bench.api_server import running_api
from bench.progress import Progress
from bench.report import parser_of, report
from bench.servers import find_program
from bench.table import Aim, Row, Table
from devstack.install.pages import ensure_pages
from devstack.install.tools import CHROMIUM
from devstack.terminal import Terminal

_USABLE = Aim(limit=1000)
_SIZE = Aim(limit=350)
_DEADLINE_MS = 60_000
#: When the button could be pressed, in ms after the navigation began (performance.now counts from
#: there: High Resolution Time, section 4).
_UNTIL_USABLE = """() => new Promise((resolve) => {
    const look = () => {
        const button = document.querySelector(".welcome .button");
        if (button && !button.disabled) resolve(performance.now());
        else requestAnimationFrame(look);
    };
    look();
})"""


async def measure(url: str, pages: Path, rounds: int, browser: Browser, status: Progress) -> Table:
    """Open the page `rounds` times; return the table."""
    first: list[float] = []
    again: list[float] = []
    for number in range(1, rounds + 1):
        status.tell(f"{number} of {rounds}")
        context = await browser.new_context()
        page = await context.new_page()
        first.append(await _usable_ms(page, url))
        again.append(await _usable_ms(page, url))
        await context.close()
    kilobytes = sum(len(gzip.compress(path.read_bytes())) for path in _fetched(pages)) / 1024
    return Table(
        part="pages",
        question="how soon the call page can be used, and how large it is",
        subject="what",
        rows=[
            _row("first visit, ms", first),
            _row("the next visit, ms", again),
            Row(name="size, KB gzipped", figures={"median": round(kilobytes)}, aim=_SIZE),
        ],
        notes=(
            f"ms until the button can be pressed, medians of {rounds}, by the browser's own clock",
            "size: page, scripts and styles; on the machine of the servers, so without a network",
        ),
    )


async def _usable_ms(page: Page, url: str) -> float:
    await page.goto(url, timeout=_DEADLINE_MS, wait_until="commit")
    return float(await page.evaluate(_UNTIL_USABLE))


def _fetched(pages: Path) -> list[Path]:
    """Return the files that a visit to the call page fetches."""
    html = pages / "index.html"
    text = html.read_text(encoding="utf-8")
    return [html, *(path for path in (pages / "assets").iterdir() if path.name in text)]


def _row(name: str, times: Sequence[float]) -> Row:
    figures = {"median": statistics.median(times), "lowest": min(times), "highest": max(times)}
    return Row(
        name=name, figures={key: round(value) for key, value in figures.items()}, aim=_USABLE
    )


async def _run(rounds: int, env: Mapping[str, str]) -> list[Table]:
    terminal = Terminal(env, sys.stderr)
    chromium, pages = find_program(CHROMIUM, env), ensure_pages(env, terminal)
    progress = Progress("pages", terminal)
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
        settings = {"WEB_DIR": str(pages)}
        async with (
            running_api(env, Path(folder), settings=settings) as stack,
            async_playwright() as playwright,
        ):
            # Programs may run as root here, and open no page but ours.
            browser = await playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"]
            )
            try:
                url = f"{stack.services[-1].url}/"
                table = await measure(url, pages, rounds, browser, progress)
            finally:
                await browser.close()
            progress.done()
            return [table]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("pages", __doc__)
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 100), default=9, metavar="N", help="visits (9)"
    )
    options = parser.parse_args(argv)
    return report(partial(_run, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
